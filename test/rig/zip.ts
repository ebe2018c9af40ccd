import { crc32, inflateRawSync } from 'node:zlib';

const endOfDirectory = 0x06054b50;
const directoryEntry = 0x02014b50;

/**
 * One file of a ZIP archive (PKWARE's APPNOTE.TXT, 4.3), found by its central directory. @throws where there is no such
 * file, or it is packed in a way that is not deflate or store.
 */
export function fileFromZip(zip: Buffer, name: string): Buffer {
	const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
	if (end === -1 || zip.readUInt32LE(end) !== endOfDirectory) throw new Error('not a ZIP archive');
	let at = zip.readUInt32LE(end + 16);
	for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
		if (zip.readUInt32LE(at) !== directoryEntry)
			throw new Error('the directory of the ZIP archive is broken');
		const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) =>
			zip.readUInt16LE(at + offset),
		) as [number, number, number];
		if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) return unpack(zip, at, name);
		at += 46 + nameLength + extraLength + commentLength;
	}
	throw new Error(`no ${name} in the ZIP archive`);
}

function unpack(zip: Buffer, entry: number, name: string): Buffer {
	const method = zip.readUInt16LE(entry + 10);
	const packedSize = zip.readUInt32LE(entry + 20);
	const size = zip.readUInt32LE(entry + 24);
	const header = zip.readUInt32LE(entry + 42);
	// The local header's name and extra field may be longer than the directory's.
	const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
	const packed = zip.subarray(start, start + packedSize);
	if (method !== 0 && method !== 8) throw new Error(`${name} is packed by method ${method}`);
	const file = method === 0 ? packed : inflateRawSync(packed);
	const whole = file.length === size && crc32(file) === zip.readUInt32LE(entry + 16);
	if (!whole) throw new Error(`${name} is damaged`);
	return file;
}
