import { type Xml, xml } from '../xml/index.ts';
import { encodePassword } from './passwords.ts';

/** A file to be written below the data directory. */
export interface NewFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * The security files of a new data directory, with one user, `admin`, who is the administrator.
 *
 * @param salt  16 random bytes for the password's digest
 */
export async function newSecurityFiles(options: { adminPassword: string; salt: Uint8Array }): Promise<NewFile[]> {
  const password = await encodePassword(options.adminPassword, options.salt);
  const users = xml`<?xml version="1.0" encoding="UTF-8"?>
<userRegistry version="1.0" xmlns="http://www.geoserver.org/security/users">
  <users>
    <user enabled="true" name="admin" password="${password}"/>
  </users>
  <groups/>
</userRegistry>
`;
  const roles = xml`<?xml version="1.0" encoding="UTF-8"?>
<roleRegistry version="1.0" xmlns="http://www.geoserver.org/security/roles">
  <roleList>
    <role id="ADMIN"/>
    <role id="GROUP_ADMIN"/>
  </roleList>
  <userList>
    <userRoles username="admin">
      <roleRef roleID="ADMIN"/>
    </userRoles>
  </userList>
  <groupList/>
</roleRegistry>
`;
  const file = (path: string, text: string | Xml): NewFile => ({
    path: `security/${path}`,
    bytes: Buffer.from(String(text), 'utf8'),
  });
  return [
    file('usergroup/default/users.xml', users),
    file('role/default/roles.xml', roles),
    file('rest.properties', '/**;GET,HEAD,OPTIONS=ROLE_ADMINISTRATOR\n/**;POST,DELETE,PUT=ROLE_ADMINISTRATOR\n'),
    file('layers.properties', '*.*.r=*\n*.*.w=GROUP_ADMIN,ADMIN\nmode=HIDE\n'),
  ];
}
