import { pino } from 'pino';
import * as assert from 'uvu/assert';
import {
	type WebhookConfiguration,
	WebhookConfigurations,
} from '../../../admission/certificates/webhook-configurations.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { suite } from '../../support/suite.ts';
import { fakeClient } from '../kube/fake-client.ts';
import { SimulatedClock } from '../support/clock.ts';
import { authority } from './authorities.ts';

const test = suite('certificates: webhook configurations');
const log = pino({ level: 'silent' });
const [one, two] = (await Promise.all([authority(), authority()])).map(({ cert }) => cert) as [
	string,
	string,
];
const encode = (text: string) => Buffer.from(text).toString('base64');
const kinds = ['validating', 'mutating'];

function configuration(version: string, ...bundles: string[]): WebhookConfiguration {
	return {
		metadata: { name: 'runners-admission', uid: 'u', resourceVersion: version },
		webhooks: bundles.map((bundle, index) => ({
			name: `w${index}`,
			clientConfig: { caBundle: encode(bundle), service: { name: 'guard', namespace: 'ci' } },
		})),
	};
}

/** Both configurations, followed; `change` is what somebody applies. */
function followed(start: Record<string, WebhookConfiguration | KubeError>) {
	const patches: { path: string; body: unknown }[] = [];
	const watches = new Map<string, (line: string) => void>();
	const clock = new SimulatedClock(1_000);
	const kindIn = (path: string) => kinds.find((kind) => path.includes(`/${kind}`)) ?? '';
	let refuse: KubeError | undefined;
	const client = fakeClient({
		async request(method, path, { body }) {
			const found = start[kindIn(path)];
			if (method === 'PATCH') {
				if (refuse) throw refuse;
				patches.push({ path, body });
				return {};
			}
			if (found instanceof KubeError) throw found;
			return { metadata: { resourceVersion: '5' }, items: found ? [found] : [] };
		},
		async stream(path, { signal, onLine }) {
			watches.set(kindIn(path), onLine);
			await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
		},
	});
	let changes = 0;
	const configurations = new WebhookConfigurations({
		client,
		clock,
		onRestart: () => {},
		log,
	});
	configurations.onChange(() => (changes += 1));
	return {
		configurations,
		patches,
		clock,
		changes: () => changes,
		refuse: (error: KubeError) => (refuse = error),
		watched: () => clock.until('both are watched', () => watches.size === 2),
		change: (kind: string, type: string, object: WebhookConfiguration) =>
			watches.get(kind)?.(JSON.stringify({ type, object })),
	};
}

test('a CA is trusted since the last of all webhooks has it, and no longer when one has lost it', async () => {
	const { configurations, clock, watched, change, changes } = followed({
		validating: configuration('1', one, one + two),
		mutating: configuration('1', one),
	});
	assert.is(configurations.trustedSinceMs(one), undefined, 'unread');
	await configurations.read();
	assert.equal([configurations.trustedSinceMs(one), configurations.trustedSinceMs(two)], [1_000, undefined]);
	assert.equal(configurations.hosts, ['guard.ci.svc']);
	assert.equal(new Set(configurations.bundled), new Set([one, two]));

	const stop = new AbortController();
	const running = configurations.run(stop.signal);
	await watched();
	await clock.pass(1_000);
	change('validating', 'MODIFIED', configuration('10', one + two, two + one));
	assert.is(configurations.trustedSinceMs(two), undefined, 'the mutating one lacks it');
	await clock.pass(1_000);
	change('mutating', 'MODIFIED', configuration('10', one + two));
	assert.equal([configurations.trustedSinceMs(one), configurations.trustedSinceMs(two)], [1_000, 3_000]);
	await clock.pass(1_000);
	change('mutating', 'MODIFIED', configuration('11', '')); // as kubectl apply of the manifests leaves it
	assert.equal(
		[configurations.trustedSinceMs(one), configurations.trustedSinceMs(two)],
		[undefined, undefined],
	);
	await clock.pass(1_000);
	change('mutating', 'DELETED', configuration('12', ''));
	assert.is(configurations.trustedSinceMs(two), 5_000, 'the one that is left has it');
	change('validating', 'DELETED', configuration('12', one));
	assert.is(configurations.trustedSinceMs(one), 5_000, 'with no webhook nobody calls who does not trust');
	assert.ok(changes() >= 5);
	stop.abort();
	await running;
});
test('the first read is reported once, when both are known: nobody decides by half of them', async () => {
	const { configurations } = followed({
		validating: configuration('1', one),
		mutating: configuration('1', two),
	});
	const seen: [boolean, number][] = [];
	configurations.onChange(() => seen.push([configurations.known, configurations.bundled.length]));
	await configurations.read();
	assert.equal(seen, [[true, 2]]);
});

test('what could not be read is trusted by nobody', async () => {
	const { configurations } = followed({ validating: new KubeError(403, 'Forbidden', 'no') });
	let refused: unknown;
	await configurations.read().catch((error: unknown) => {
		refused = error;
	});
	assert.instance(refused, KubeError);
	assert.equal([configurations.known, configurations.trustedSinceMs(one)], [false, undefined]);
});
test('only what differs is written, on the version that was seen; order and spelling are no difference', async () => {
	const { configurations, patches } = followed({
		validating: configuration('7', two + one, one, 'rubbish', `# a comment\n${one}\n\n${two}`),
		mutating: configuration('3', one + two),
	});
	await configurations.read();
	await configurations.inject([one, two]);
	const value = encode(one + two);
	assert.equal(patches, [
		{
			path: '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/runners-admission',
			body: [
				{ op: 'test', path: '/metadata/resourceVersion', value: '7' },
				{ op: 'add', path: '/webhooks/1/clientConfig/caBundle', value },
				{ op: 'add', path: '/webhooks/2/clientConfig/caBundle', value },
			],
		},
	]);
});
test('a lost race is no error, anything else is', async () => {
	const { configurations, refuse } = followed({ validating: configuration('7', '') });
	await configurations.read();
	for (const [code, isError] of [
		[422, false],
		[409, false],
		[404, false],
		[403, true],
		[0, true],
	] as const) {
		refuse(new KubeError(code, '', 'no'));
		const failed = await configurations.inject([one]).then(
			() => false,
			() => true,
		);
		assert.is(failed, isError, `${code}`);
	}
});

test.run();
