/** Reads the archives that the tests' older kubectl clients come in. */
import { crc32, deflateRawSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { fileFromZip } from '../../rig/zip.ts';
import { suite } from '../../support/suite.ts';

const test = suite('zip');

/** Two files: one deflated, one stored, whose local header has a longer extra field than the directory says. */
function archive(method = 8): Buffer {
	const files = [
		{ name: 'a/deflated', data: Buffer.from('x'.repeat(1_000)), method },
		{ name: 'a/stored', data: Buffer.from('as it is'), method: 0 },
	];
	const parts: Buffer[] = [];
	const directory: Buffer[] = [];
	let offset = 0;
	for (const file of files) {
		const packed = file.method === 8 ? deflateRawSync(file.data) : file.data;
		const head = Buffer.alloc(30);
		head.writeUInt32LE(0x04034b50, 0);
		head.writeUInt16LE(file.method, 8);
		head.writeUInt16LE(file.name.length, 26);
		head.writeUInt16LE(9, 28);
		const entry = Buffer.alloc(46);
		entry.writeUInt32LE(0x02014b50, 0);
		entry.writeUInt16LE(file.method, 10);
		entry.writeUInt32LE(crc32(file.data), 16);
		entry.writeUInt32LE(packed.length, 20);
		entry.writeUInt32LE(file.data.length, 24);
		entry.writeUInt16LE(file.name.length, 28);
		entry.writeUInt32LE(offset, 42);
		directory.push(entry, Buffer.from(file.name));
		const local = Buffer.concat([head, Buffer.from(file.name), Buffer.alloc(9), packed]);
		parts.push(local);
		offset += local.length;
	}
	const entries = Buffer.concat(directory);
	const end = Buffer.alloc(22);
	end.writeUInt32LE(0x06054b50, 0);
	end.writeUInt16LE(files.length, 10);
	end.writeUInt32LE(entries.length, 12);
	end.writeUInt32LE(offset, 16);
	return Buffer.concat([...parts, entries, end]);
}

test('a deflated and a stored file are found by name', () => {
	assert.is(fileFromZip(archive(), 'a/deflated').toString(), 'x'.repeat(1_000));
	assert.is(fileFromZip(archive(), 'a/stored').toString(), 'as it is');
});

test('what is not there, not a ZIP, or packed otherwise is an error that says so', () => {
	assert.throws(() => fileFromZip(archive(), 'a/other'), /no a\/other in the ZIP archive/);
	assert.throws(() => fileFromZip(Buffer.from('hello'), 'a'), /not a ZIP archive/);
	assert.throws(() => fileFromZip(archive(12), 'a/deflated'), /packed by method 12/);
});

test.run();
