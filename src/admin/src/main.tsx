import '@mantine/core/styles.css';
import 'ol/ol.css';
import './page.css';
import { createTheme, MantineProvider } from '@mantine/core';
import { createRoot } from 'react-dom/client';
import { Page } from './Page.tsx';

const theme = createTheme({ primaryColor: 'cyan', defaultRadius: 'md' });

createRoot(document.getElementById('root')!).render(
  <MantineProvider theme={theme} defaultColorScheme="auto">
    <Page />
  </MantineProvider>,
);
