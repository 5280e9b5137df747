export { XmlDocument, XmlElement, type XmlNode } from './document.ts';
export { parseXml, XML_LIMITS, XmlError, type XmlLimits } from './parse.ts';
export { escapeAttribute, escapeText, trustedXml, type Xml, type XmlValue, xml } from './write.ts';
