import '@mantine/core/styles.css';
import 'ol/ol.css';
import './page.css';
import { show } from './Brand.tsx';
import { Page } from './Page.tsx';

show(<Page />);
