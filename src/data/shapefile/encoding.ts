/** Text of some bytes. */
export type TextDecode = (bytes: Buffer, from: number, end: number) => string;

export interface Encoding {
  /** In the form that Mapnik (ICU) takes. */
  readonly name: string;
  readonly decode: TextDecode;
  /** False when the name asked for is not known, and Latin 1 stands in for it. */
  readonly isKnown: boolean;
}

/** Names that shapefiles use, and the standard's name for each. */
const ALIASES: Readonly<Record<string, string>> = {
  '65001': 'utf-8',
  '8859-1': 'iso-8859-1',
  '88591': 'iso-8859-1',
  '936': 'gbk',
  '949': 'euc-kr',
  '950': 'big5',
  '932': 'shift_jis',
  ansi: 'windows-1252',
  oem: 'ibm850',
};

/**
 * The encoding of a shapefile's text: the store's `charset` when it is set, else the `.cpg` file's, else ISO-8859-1, which
 * is the order in GeoServer.
 */
export function encodingOf(charset: string | undefined, cpg: string | undefined): Encoding {
  const asked = (charset ?? cpg ?? 'ISO-8859-1').trim().toLowerCase();
  const name = canonicalName(asked);
  if (name === 'utf-8') return { name, isKnown: true, decode: (bytes, from, end) => bytes.toString('utf8', from, end) };
  if (name === 'iso-8859-1')
    return { name, isKnown: true, decode: (bytes, from, end) => bytes.toString('latin1', from, end) };
  const table = OEM_UPPER_HALVES[name];
  if (table !== undefined) return { name, isKnown: true, decode: tableDecoder(table) };
  try {
    const decoder = new TextDecoder(name);
    return {
      name: decoder.encoding,
      isKnown: true,
      decode: (bytes, from, end) => decoder.decode(bytes.subarray(from, end)),
    };
  } catch {
    return { name: 'iso-8859-1', isKnown: false, decode: (bytes, from, end) => bytes.toString('latin1', from, end) };
  }
}

function canonicalName(asked: string): string {
  const bare = asked.replace(/^(cp|ibm|windows|win|ansi|oem)[ _-]?(?=\d)/, '');
  const alias = ALIASES[asked] ?? ALIASES[bare];
  if (alias !== undefined) return alias;
  if (/^utf[ _-]?8$/.test(asked)) return 'utf-8';
  if (/^(latin[ _-]?1|iso[ _-]?8859[ _-]?1)$/.test(asked)) return 'iso-8859-1';
  const part = /^iso[ _-]?8859[ _-]?(\d+)$/.exec(asked);
  if (part !== null) return `iso-8859-${part[1]}`;
  if (/^125\d$/.test(bare)) return `windows-${bare}`;
  if (/^(437|850|852|866)$/.test(bare)) return `ibm${bare}`;
  return asked;
}

/** Characters 0x80 to 0xFF of the DOS code pages that old shapefiles use and the platform does not know. */
const OEM_UPPER_HALVES: Readonly<Record<string, string>> = {
  ibm437:
    'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0',
  ibm850:
    'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0',
  ibm852:
    'ÇüéâäůćçłëŐőîŹÄĆÉĹĺôöĽľŚśÖÜŤťŁ×čáíóúĄąŽžĘę¬źČş«»░▒▓│┤ÁÂĚŞ╣║╗╝Żż┐└┴┬├─┼Ăă╚╔╩╦╠═╬¤đĐĎËďŇÍÎě┘┌█▄ŢŮ▀ÓßÔŃńňŠšŔÚŕŰýÝţ´\u00ad˝˛ˇ˘§÷¸°¨˙űŘř■\u00a0',
};

function tableDecoder(upperHalf: string): TextDecode {
  return (bytes, from, end) => {
    let text = '';
    for (let i = from; i < end; i++) {
      const code = bytes[i]!;
      text += code < 0x80 ? String.fromCharCode(code) : upperHalf[code - 0x80];
    }
    return text;
  };
}
