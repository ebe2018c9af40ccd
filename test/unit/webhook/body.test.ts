/** How the bodies of large reviews share the event loop; what becomes of bodies is in server.test.ts. */
import { Readable } from 'node:stream';
import type { Request } from 'express';
import * as assert from 'uvu/assert';
import { Bodies } from '../../../admission/webhook/body.ts';
import { mostReadInTurn, mostWholeBytes } from '../../../admission/webhook/rules/policy.ts';
import { suite } from '../../support/suite.ts';

const test = suite('bodies');
const partBytes = 16 * 1024;

/** A request whose body comes as fast as it is read. */
function request(bytes: number, onPart: (bytes: number) => void): Request {
	const body = Buffer.from(`{"request":{"uid":"${'x'.repeat(bytes)}"}}`);
	function* parts() {
		for (let from = 0; from < body.length; from += partBytes) {
			onPart(Math.min(partBytes, body.length - from));
			yield body.subarray(from, from + partBytes);
		}
	}
	const headers = { 'content-type': 'application/json', 'content-length': `${body.length}` };
	return Object.assign(Readable.from(parts(), { highWaterMark: 1 }), { headers }) as unknown as Request;
}

test('of all large bodies together a limited number of bytes is read before other work has its turn', async () => {
	let [read, most, turns] = [0, 0, 0];
	const sleep = async () => {
		most = Math.max(most, read);
		read = 0;
		turns += 1;
		await new Promise((resolve) => setImmediate(resolve));
	};
	const bodies = new Bodies({ sleep });
	const bytes = 2 * mostWholeBytes.known;
	const all = await Promise.all(
		Array.from({ length: 3 }, () =>
			bodies.read(
				request(bytes, (part) => (read += part)),
				'known',
			),
		),
	);
	assert.equal(
		all.map(({ json, reduced }) => [json.toString(), reduced]),
		Array(3).fill(['{"request":{"uid":null}}', true]),
	);
	most = Math.max(most, read); // what came after the last
	console.log(`${turns} turns, at most ${most / 1024} KiB in one`);
	assert.ok(most <= mostReadInTurn + 8 * partBytes, `${most}`);
});

test.run();
