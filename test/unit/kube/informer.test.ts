import { pino } from 'pino';
import * as assert from 'uvu/assert';
import type { KubeObject } from '../../../admission/api/kinds.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { Informer } from '../../../admission/kube/informer.ts';
import { eventually } from '../../rig/eventually.ts';
import { suite } from '../../support/suite.ts';
import { fakeClient } from './fake-client.ts';

const test = suite('informer');
const log = pino({ level: 'silent' });
const object = (name: string, version: string, uid = `uid-${name}`): KubeObject => ({
	metadata: { name, namespace: 'ns', uid, resourceVersion: version },
});
const line = (type: string, of: unknown) => JSON.stringify({ type, object: of });

/** Runs an informer against lists and watches in the order given; the last watch stays open. */
async function run(
	lists: ({ items: KubeObject[]; next?: string } | Error)[],
	watches: (string[] | Error)[],
	until: (seen: string[]) => boolean,
	trim: (object: KubeObject) => KubeObject | undefined = (kept) => kept,
) {
	const seen: string[] = [];
	const asked: string[] = [];
	const stop = new AbortController();
	const client = fakeClient({
		async request(_method, _path, { query }) {
			asked.push(`list ${query?.continue ?? ''}`.trim());
			const list = lists.shift();
			if (!list || list instanceof Error) throw list ?? new Error('no more lists');
			return { metadata: { resourceVersion: '10', continue: list.next }, items: list.items };
		},
		async stream(_path, { query, signal, onLine }) {
			asked.push(`watch ${query.resourceVersion}`);
			const lines = watches.shift();
			if (lines instanceof Error) throw lines;
			for (const one of lines ?? []) onLine(one);
			if (watches.length === 0)
				await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
		},
	});
	const informer = new Informer<KubeObject>({
		client,
		path: '/api/v1/pods',
		trim,
		onChange: (change, { metadata }) => seen.push(`${change} ${metadata.name} ${metadata.uid}`),
		log,
	});
	const running = informer.run(stop.signal);
	await eventually('the expected changes', () => until(seen), { withinMs: 8_000, everyMs: 10 });
	stop.abort();
	await running;
	return { seen, asked, informer };
}

test('pages, then watches from there; bookmarks move the version on', async () => {
	const { seen, asked } = await run(
		[{ items: [object('a', '1')], next: 'more' }, { items: [object('b', '2')] }],
		[
			[line('BOOKMARK', object('', '20')), line('MODIFIED', object('a', '21'))],
			new KubeError(0, '', 'reset'),
			[line('DELETED', object('b', '30'))],
		],
		(changes) => changes.length === 4,
	);
	assert.equal(seen, ['added a uid-a', 'added b uid-b', 'modified a uid-a', 'deleted b uid-b']);
	assert.equal(asked, ['list', 'list more', 'watch 10', 'watch 21', 'watch 21']);
});
test('410: lists again, and tells what was deleted meanwhile', async () => {
	const { seen, asked } = await run(
		[{ items: [object('a', '1'), object('b', '2')] }, { items: [object('a', '1')] }],
		[[line('ERROR', { code: 410, message: 'expired', metadata: {} })], []],
		(changes) => changes.length === 3,
	);
	assert.equal(seen, ['added a uid-a', 'added b uid-b', 'deleted b uid-b']);
	assert.equal(asked.slice(0, 4), ['list', 'watch 10', 'list', 'watch 10']);
});
test('a successor under the same name is another object', async () => {
	const { seen } = await run(
		[{ items: [object('a', '1')] }],
		[[line('MODIFIED', object('a', '5', 'new'))]],
		(changes) => changes.length === 3,
	);
	assert.equal(seen, ['added a uid-a', 'deleted a uid-a', 'added a new']);
});
test('what trim leaves out is not kept, and goes when it stops fitting', async () => {
	const fits = (one: KubeObject) => (one.metadata.resourceVersion === '1' ? one : undefined);
	const { seen, informer } = await run(
		[{ items: [object('a', '1'), object('b', '9')] }],
		[[line('MODIFIED', object('a', '2'))]],
		(changes) => changes.length === 2,
		fits,
	);
	assert.equal(seen, ['added a uid-a', 'deleted a uid-a']);
	assert.is([...informer.values()].length, 0);
});
test('a list that fails is tried again', async () => {
	const { asked } = await run(
		[new KubeError(500, '', 'etcd'), { items: [object('a', '1')] }],
		[[]],
		(changes) => changes.length === 1,
	);
	assert.equal(asked.slice(0, 2), ['list', 'list']);
});

test.run();
