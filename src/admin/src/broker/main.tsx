import '@mantine/core/styles.css';
import './broker.css';
import { show } from '../Brand.tsx';
import { BrokerPage } from './BrokerPage.tsx';

show(<BrokerPage />);
