/** Sizes of pictures, from their first bytes. */

export interface PictureInfo {
  readonly type: 'png' | 'jpeg' | 'gif' | 'webp' | 'tiff' | 'svg';
  readonly width: number;
  readonly height: number;
}

/** Undefined when the bytes are no picture that can be drawn. GIF and SVG have sizes found by others: 0 here for SVG. */
export function pictureInfo(bytes: Uint8Array): PictureInfo | undefined {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (b.length > 24 && b.readUInt32BE(0) === 0x89504e47)
    return { type: 'png', width: b.readUInt32BE(16), height: b.readUInt32BE(20) };
  if (b.length > 10 && b.toString('latin1', 0, 4) === 'GIF8')
    return { type: 'gif', width: b.readUInt16LE(6), height: b.readUInt16LE(8) };
  if (b.length > 4 && b.readUInt16BE(0) === 0xffd8) return jpeg(b);
  if (/^(\uFEFF|\xef\xbb\xbf)?\s*<(\?xml|!--|!DOCTYPE|svg|[\w]+:svg)/.test(b.toString('latin1', 0, 200)))
    return { type: 'svg', width: 0, height: 0 };
  return undefined;
}

function jpeg(b: Buffer): PictureInfo | undefined {
  for (let at = 2; at + 9 < b.length && b[at] === 0xff; ) {
    const marker = b[at + 1]!;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return { type: 'jpeg', height: b.readUInt16BE(at + 5), width: b.readUInt16BE(at + 7) };
    at += 2 + b.readUInt16BE(at + 2);
  }
  return undefined;
}
