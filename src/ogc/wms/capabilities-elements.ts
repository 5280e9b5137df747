/** Elements of capabilities that all versions have alike. */
import type { Contact } from '../../catalog/index.ts';
import { type Xml, xml } from '../../xml/index.ts';

export function keywordList(keywords: readonly string[]): Xml | undefined {
  if (keywords.length === 0) return undefined;
  return xml`
        <KeywordList>${keywords.map(
          (keyword) => xml`
          <Keyword>${keyword}</Keyword>`,
        )}
        </KeywordList>`;
}

export function contactInformation(c: Contact): Xml {
  return xml`
    <ContactInformation>
      <ContactPersonPrimary>
        <ContactPerson>${c.person}</ContactPerson>
        <ContactOrganization>${c.organization}</ContactOrganization>
      </ContactPersonPrimary>
      <ContactPosition>${c.position}</ContactPosition>
      <ContactAddress>
        <AddressType>${c.addressType}</AddressType>
        <Address>${c.address ?? c.addressDeliveryPoint}</Address>
        <City>${c.addressCity}</City>
        <StateOrProvince>${c.addressState}</StateOrProvince>
        <PostCode>${c.addressPostalCode}</PostCode>
        <Country>${c.addressCountry}</Country>
      </ContactAddress>
      <ContactVoiceTelephone>${c.voice}</ContactVoiceTelephone>
      <ContactFacsimileTelephone>${c.facsimile}</ContactFacsimileTelephone>
      <ContactElectronicMailAddress>${c.email}</ContactElectronicMailAddress>
    </ContactInformation>`;
}
