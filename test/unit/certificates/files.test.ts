import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { followFiles, readClientCa } from '../../../admission/certificates/files.ts';
import type { KeyPair } from '../../../admission/certificates/x509.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { eventually } from '../../rig/eventually.ts';
import { suite } from '../../support/suite.ts';
import { authority, serving, startMs } from './authorities.ts';

interface Context {
	folder: string;
}

const test = suite<Context>('certificates: files');
const everyMs = 20;
const ca = await authority();
const [first, second] = [await serving(ca), await serving(ca)];

test.before.each(async (context) => {
	context.folder = await mkdtemp(join(tmpdir(), 'certificate-files-'));
});
test.after.each(({ folder }) => rm(folder, { recursive: true }));

function follow(folder: string) {
	const lines: { level: number; msg: string; error?: string }[] = [];
	const log = pino({}, { write: (line) => void lines.push(JSON.parse(line)) });
	const metrics = new Metrics(systemClock);
	const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
	const write = async ({ cert, key }: KeyPair) => {
		await writeFile(files.certFile, cert);
		await writeFile(files.keyFile, key);
	};
	return {
		lines,
		metrics,
		files,
		write,
		source: () => followFiles(files, { metrics, clock: systemClock, log }, everyMs),
	};
}

test('a new pair is used without a restart; a half or broken one is complained of once, and the old one stays', async ({
	folder,
}) => {
	const { lines, files, write, source } = follow(folder);
	await write(first);
	const followed = await source();
	assert.is(followed.current.cert, first.cert);
	const used: string[] = [];
	const stop = new AbortController();
	const running = followed.run((pair) => used.push(pair.cert), stop.signal);

	await writeFile(files.certFile, second.cert); // the key is still the first one's
	await eventually('a complaint', () => lines.some((line) => line.msg.includes('read before stays in use')));
	await new Promise((resolve) => setTimeout(resolve, 10 * everyMs));
	assert.equal(
		lines.map((line) => line.error),
		[`Error: ${files.keyFile} is not the key of ${files.certFile}`],
	);
	assert.equal(used, []);
	await writeFile(files.keyFile, second.key);
	await eventually('the new pair', () => used.length > 0);
	assert.equal(used, [second.cert]);
	stop.abort();
	await running;
});
test('days left are measured, of a ca.crt beside it as well', async ({ folder }) => {
	const { metrics, write, source } = follow(folder);
	await write(first);
	await writeFile(join(folder, 'ca.crt'), ca.cert);
	await source();
	const text = await metrics.registry.metrics();
	const day = 86_400;
	assert.match(
		text,
		`runners_certificate_not_after_seconds{certificate="serving"} ${startMs / 1000 + 90 * day}`,
	);
	assert.match(text, `runners_certificate_not_after_seconds{certificate="ca"} ${startMs / 1000 + 360 * day}`);
});
test('files that cannot be used at the start are named', async ({ folder }) => {
	const { files, write, source } = follow(folder);
	const failure = () => source().then(() => 'none', String);
	assert.match(await failure(), files.certFile);
	await write({ cert: 'x', key: first.key });
	assert.match(await failure(), `${files.certFile} contains no certificate`);
	await write({ cert: first.cert, key: 'x' });
	assert.match(await failure(), `${files.keyFile} contains no private key`);
	assert.match(await readClientCa(join(folder, 'none')).then(() => '', String), /--client-ca-file: ENOENT/);
	assert.match(
		await readClientCa(files.keyFile).then(() => '', String),
		`--client-ca-file: ${files.keyFile} contains no certificate`,
	);
});

test.run();
