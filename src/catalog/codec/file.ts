import type { ContentHash, TreePath } from '../../tree/index.ts';
import { folderOf, workspaceFolder } from '../paths.ts';
import { CodecError } from './values.ts';

/** What is known of an object from its file alone. */
export class FileFacts {
  readonly path: TreePath;
  readonly hash: ContentHash;

  constructor(path: TreePath, hash: ContentHash) {
    this.path = path;
    this.hash = hash;
  }

  /** A file without an id is known by its place: the object can be served, and a save gives it an id. */
  common(id: string | undefined): { path: TreePath; hash: ContentHash; id: string } {
    return { path: this.path, hash: this.hash, id: id ?? `${this.path}` };
  }

  /** @throws CodecError  the element is missing or empty */
  required(element: string, value: string | undefined): string {
    if (value === undefined) throw new CodecError(`<${element}> is missing`);
    return value;
  }

  /** Folder of the workspace that the file lies in: the scope of objects whose file names none. */
  get workspaceFolder(): string | undefined {
    return workspaceFolder(this.path);
  }

  /** Name of the folder that the file lies in. */
  get folderName(): string {
    const folder = folderOf(this.path);
    return folder.slice(folder.lastIndexOf('/') + 1);
  }
}
