/**
 * Just enough of the protobuf wire format to read a few fields of a message and skip the rest. See
 * https://protobuf.dev/programming-guides/encoding/.
 */

/** A field of bytes (text, message): its position in the buffer. A number: its value, with -1 as `end`. */
export type OnField = (field: number, startOrValue: number, end: number) => void;

/** Calls `onField` for each field between `start` and `end`. */
export function readFields(buffer: Buffer, start: number, end: number, onField: OnField): void {
	let at = start;

	/** Varints: 7 bits per byte, the lowest first. Exact up to 2^53; ids and seconds stay below that. */
	function varint(): number {
		let byte = buffer[at++]!;
		if (byte < 128) return byte;
		let value = byte & 127;
		let scale = 128;
		do {
			if (at >= end) throw new RangeError('protobuf: a number runs past its message');
			byte = buffer[at++]!;
			value += (byte & 127) * scale;
			scale *= 128;
		} while (byte > 127);
		return value;
	}

	while (at < end) {
		const tag = varint();
		const field = Math.trunc(tag / 8);
		switch (tag & 7) {
			case 0:
				onField(field, varint(), -1);
				break;
			case 1:
				at += 8;
				break;
			case 2: {
				const length = varint();
				if (at + length > end) throw new RangeError('protobuf: a field runs past its message');
				onField(field, at, at + length);
				at += length;
				break;
			}
			case 5:
				at += 4;
				break;
			default:
				throw new RangeError(`protobuf: unknown wire type ${tag & 7}`);
		}
	}
}

/** Media type of Kubernetes' protobuf encoding. */
export const protobuf = 'application/vnd.kubernetes.protobuf';

/** Every Kubernetes protobuf answer starts with these bytes; a runtime.Unknown follows. */
const magic = Buffer.from('k8s\0', 'latin1');

export function isProtobuf(body: Buffer): boolean {
	return body.subarray(0, magic.length).equals(magic);
}

/** The fields of the object inside the envelope. */
export function readEnvelope(body: Buffer, onField: OnField): void {
	readFields(body, magic.length, body.length, (field, start, end) => {
		if (field === 2) readFields(body, start, end, onField); // runtime.Unknown.raw
	});
}
