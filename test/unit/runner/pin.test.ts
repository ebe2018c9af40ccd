/** Pins: where a scale set's runner is registered, as the leader first saw it, signed. */
import * as assert from 'uvu/assert';
import { identityProof } from '../../../admission/api/keys.ts';
import type { EphemeralRunner } from '../../../admission/api/kinds.ts';
import { Signer } from '../../../admission/cluster/signer.ts';
import { pinOf } from '../../../admission/runner/record.ts';
import { type Facts, readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { suite } from '../../support/suite.ts';
import { jitContainer, pod } from './pods.ts';

const test = suite('pins');
const signer = new Signer(Buffer.alloc(32, 1));
const ephemeralRunner: EphemeralRunner = {
	metadata: { name: 'r1', uid: 'er' },
	spec: { githubConfigUrl: 'https://github.com/octo-org/app', githubConfigSecret: 'creds' },
};

/** The pod with this pin on it, as a server reads it that has this key. */
function read(text: string | null | undefined, facts: Facts = {}, uid = 'uid-1') {
	const annotations: Record<string, string> = text ? { [identityProof]: text } : {};
	const object = pod({ metadata: { uid, annotations }, spec: { containers: [jitContainer('r1')] } });
	const runner = readRunnerPod(object, { verify: signer.verifyStatement, ...facts });
	if (!runner) throw new Error('not a runner');
	return runner;
}
const written = (facts: Facts, { uid = 'uid-1', by = signer, text = '' } = {}) =>
	pinOf(read(text, facts, uid), by.signStatement)[identityProof];
const text = written({ ephemeralRunner });

test('where the EphemeralRunner is gone, the pin says what it said', () => {
	const { scope, host, credentialsSecret } = read(text);
	assert.equal(scope, { kind: 'repository', owner: 'octo-org', name: 'app' });
	assert.equal([host, credentialsSecret], ['github.com', 'creds']);
	const own = { ...ephemeralRunner, spec: { githubConfigUrl: 'https://github.com/octo-org' } };
	const organization = read(written({ ephemeralRunner: own }));
	assert.equal(organization.scope, { kind: 'organization', name: 'octo-org' });
	assert.is(organization.credentialsSecret, undefined);
});
test('no text is read that is longer than any pin', () => {
	const annotations = { [identityProof]: text?.replace('{', `{${' '.repeat(4_096)}`) ?? '' };
	const object = pod({ metadata: { uid: 'uid-1', annotations }, spec: { containers: [jitContainer('r1')] } });
	assert.is(readRunnerPod(object, { verify: () => true })?.scope, undefined);
});
test('only a certain identity that the EphemeralRunner tells is pinned', () => {
	assert.is(written({}), undefined);
	assert.is(written({}, { text: text ?? '' }), undefined, 'its own word is not signed again');
	assert.is(written({ ephemeralRunner, host: 'ghes.example' }), undefined, 'another GitHub');
	const moved = { ...ephemeralRunner, spec: { githubConfigUrl: 'https://github.com/evil' } };
	assert.is(written({ ephemeralRunner: moved }, { text: text ?? '' }), undefined, 'it has changed');
	assert.is(written({ ephemeralRunner }, { uid: '' }), undefined, 'a pod without a UID');
	const legacy = readRunnerPod(pod());
	assert.equal(legacy && pinOf(legacy, signer.signStatement), {});
});
test('of another pod, another server or another hand it counts as none', () => {
	const none = 'no EphemeralRunner, and no signed scope';
	assert.is(read(text, {}, 'uid-2').uncertain, none);
	assert.is(read(text, {}, '').uncertain, none);
	const other = new Signer(Buffer.alloc(32, 2));
	assert.is(read(written({ ephemeralRunner }, { by: other })).uncertain, none);
	const { signature, ...rest } = JSON.parse(text ?? '') as Record<string, string>;
	for (const forged of [
		'',
		'null',
		'[]',
		'"x"',
		'{',
		JSON.stringify(rest),
		JSON.stringify({ ...rest, signature: '' }),
		JSON.stringify({ ...rest, signature: 1 }),
		JSON.stringify({ ...rest, signature, scope: 'evil' }),
		JSON.stringify({ ...rest, signature, host: 'evil' }),
		JSON.stringify({ ...rest, signature, secret: 'evil' }),
		JSON.stringify({ ...rest, signature, secret: 1 }),
		JSON.stringify({ ...rest, signature, scope: ['octo-org/app'] }),
		JSON.stringify({ ...rest, signature, host: undefined }),
	])
		assert.is(read(forged).uncertain, none, forged);
	assert.ok(
		read('forged', { ephemeralRunner }).scope,
		'and takes nothing from what its EphemeralRunner says',
	);
});

test.run();
