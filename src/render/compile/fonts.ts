/** From families, styles and weights of CSS to the faces that Mapnik has. */

/** What comes closest where a family is missing, as Java's logical fonts do. */
const SUBSTITUTES: readonly (readonly [RegExp, string])[] = [
  [/mono|courier|consol|menlo|typewriter/i, 'DejaVu Sans Mono'],
  [/condensed|narrow/i, 'DejaVu Sans Condensed'],
  [/^((?!sans).)*serif|times|georgia|garamond|palatino|cambria|roman|bookman|century/i, 'DejaVu Serif'],
];
const FALLBACK = 'DejaVu Sans';
/** Families that are named for no font in particular. */
const LOGICAL =
  /^(sans[- ]?serif|serif|monospaced?|dialog|dialoginput|default|lucida sans|arial|helvetica|verdana|tahoma)$/i;

export interface FontRequest {
  readonly families: readonly string[];
  readonly italic: boolean;
  readonly bold: boolean;
}

/** A face for the request, and whether it is of a family that was asked for. */
export function chooseFace(request: FontRequest, faces: ReadonlySet<string>): { face: string; exact: boolean } {
  for (const family of request.families) {
    // Faces too are named as families: `DejaVu Sans Bold`.
    const face = styled(family, request, faces) ?? indexOf(faces).get(family.trim().toLowerCase());
    if (face !== undefined) return { face, exact: true };
  }
  const wanted = request.families[0] ?? '';
  const exact = request.families.length === 0 || request.families.some((f) => LOGICAL.test(f.trim()));
  const sans = /sans/i.test(wanted) && !/mono|condensed/i.test(wanted);
  const substitute = sans ? FALLBACK : (SUBSTITUTES.find(([pattern]) => pattern.test(wanted))?.[1] ?? FALLBACK);
  return { face: styled(substitute, request, faces) ?? styled(FALLBACK, request, faces) ?? 'DejaVu Sans Book', exact };
}

/** The regular face for single characters of a family; undefined when there is none, and none that could stand for it. */
export function faceOf(family: string, faces: ReadonlySet<string>): string | undefined {
  const request = { families: [family], italic: false, bold: /\bbold\b/i.test(family) };
  const { face, exact } = chooseFace(request, faces);
  return exact ? face : undefined;
}

function styled(family: string, { italic, bold }: FontRequest, faces: ReadonlySet<string>): string | undefined {
  const slants = italic ? ['Italic', 'Oblique'] : [''];
  const regular = ['Regular', 'Book', 'Roman', 'Normal', ''];
  const names = bold
    ? slants.flatMap((slant) => [`Bold ${slant}`, slant === '' ? 'Bold' : `Bold${slant}`])
    : italic
      ? slants
      : regular;
  const index = indexOf(faces);
  for (const name of [...names, ...(bold || italic ? regular : [])]) {
    const face = index.get(`${family.trim()} ${name}`.trim().toLowerCase());
    if (face !== undefined) return face;
  }
  return undefined;
}

const indexes = new WeakMap<ReadonlySet<string>, Map<string, string>>();

function indexOf(faces: ReadonlySet<string>): Map<string, string> {
  let index = indexes.get(faces);
  if (index === undefined) {
    index = new Map([...faces].map((face) => [face.trim().replace(/\s+/g, ' ').toLowerCase(), face]));
    indexes.set(faces, index);
  }
  return index;
}
