/** Which runner a pod is: its name, place, GitHub and kind, as the runner's image will take them from the pod. */
import * as assert from 'uvu/assert';
import { identityProof } from '../../../admission/api/keys.ts';
import type { EnvVar, EphemeralRunner, Pod } from '../../../admission/api/kinds.ts';
import { decide } from '../../../admission/guard/subjects/runner/rules/decide.ts';
import { longestCommand, mostParts } from '../../../admission/runner/identity/command.ts';
import { longestValue, mostReferences, mostSources } from '../../../admission/runner/identity/environment.ts';
import { scopeInEnvironment, trimContainer } from '../../../admission/runner/identity/identity.ts';
import { type Pin, writePin } from '../../../admission/runner/identity/pin.ts';
import { ephemeralRunnerOf, type Facts, readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { scopeFromUrl, scopeKey } from '../../../admission/runner/scope.ts';
import type { Statement } from '../../../admission/runner/statements.ts';
import { suite } from '../../support/suite.ts';
import { jitContainer, noon, running } from './pods.ts';

const test = suite('which runner a pod is');

const value = (name: string, text: string): EnvVar => ({ name, value: text });
const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });
const secret = (name: string): EnvVar => ({ name, valueFrom: { secretKeyRef: { name: 's', key: 'k' } } });
const config = (name: string): EnvVar => ({ name, valueFrom: { configMapKeyRef: {} } });
const plain = [
	value('RUNNER_ORG', 'octo-org'),
	value('RUNNER_REPO', ''),
	value('RUNNER_ENTERPRISE', ''),
	value('GITHUB_URL', 'https://github.com/'),
	value('RUNNER_EPHEMERAL', 'true'),
	value('RUNNER_NAME', 'r1'),
];

type Container = NonNullable<NonNullable<Pod['spec']>['containers']>[number];

const podOf = (container: Partial<Container>, metadata: Partial<Pod['metadata']> = {}): Pod => ({
	metadata: { name: 'p1', namespace: 'ci', uid: 'uid-1', labels: { 'actions-runner': '' }, ...metadata },
	spec: { nodeName: 'node-1', containers: [{ name: 'runner', ...container }] },
	status: running(),
});

/** What is known beside the pod; the pin, as this server signed it, stands on the pod. */
type Known = Facts & { pin?: Pin };

function read(pod: Pod, { pin, ...facts }: Known = {}) {
	const annotations = {
		...pod.metadata.annotations,
		...(pin && { [identityProof]: writePin(pin, 'signed') }),
	};
	const verify = (_: Statement, given: string | undefined) => given === 'signed';
	return readRunnerPod({ ...pod, metadata: { ...pod.metadata, annotations } }, { verify, ...facts });
}

/** `organization name` where all is certain, else why it is not. The server's GitHub is github.com. */
function identity(pod: Pod, facts: Known = {}): string {
	const [container = { name: '' }] = pod.spec?.containers ?? [];
	const trimmed = { ...pod, spec: { ...pod.spec, containers: [trimContainer(container)] } };
	const [whole, kept] = [pod, trimmed].map((one) => read(one, { host: 'github.com', ...facts }));
	if (!whole) throw new Error('not recognised');
	assert.equal(kept, whole, 'what the cache keeps says the same');
	const decision = decide(whole, noon + 3_600_000, 'server');
	if (whole.scope) {
		assert.is(whole.uncertain, undefined);
		assert.is(decision.kind, 'ask');
		return `${scopeKey(whole.scope)} ${whole.runnerName}${whole.ephemeral ? '' : ' static'}`;
	}
	assert.equal(decision, { kind: 'deny', reason: 'scope-unknown', detail: undefined }, 'GitHub is not asked');
	return whole.uncertain ?? '';
}

/** The plain env with these in place of, or behind, the variables of the same name. */
const env = (...changes: EnvVar[]): Partial<Container> => ({
	env: [...plain.filter(({ name }) => !changes.some((change) => change.name === name)), ...changes],
});
const without = (...names: string[]): EnvVar[] => plain.filter(({ name }) => !names.includes(name));

const configMap = 'is from a Secret or ConfigMap';
const elsewhere = 'may come from envFrom';

for (const [what, container, says] of [
	['plain', { env: plain }, 'octo-org r1'],
	// Names.
	[
		'a reference to a variable',
		env(field('POD_NAME', 'metadata.name'), value('RUNNER_NAME', 'prod-$(POD_NAME)')),
		'octo-org prod-p1',
	],
	[
		'a reference to a reference',
		env(value('A', 'x'), value('B', '$(A)y'), value('RUNNER_NAME', '$(B)-$(A)')),
		'octo-org xy-x',
	],
	[
		'a reference forward stays as it is',
		{ env: [value('RUNNER_NAME', '$(B)'), value('B', 'x'), ...without('RUNNER_NAME')] },
		'octo-org $(B)',
	],
	['an escaped reference', env(value('B', 'x'), value('RUNNER_NAME', '$$(B)-$$$(B)')), 'octo-org $(B)-$x'],
	['dollars that begin nothing', env(value('RUNNER_NAME', 'a$b-$(c-$')), 'octo-org a$b-$(c-$'],
	['a variable twice: the last counts', { env: [...plain, value('RUNNER_NAME', 'r2')] }, 'octo-org r2'],
	[
		'a variable that refers to its earlier self',
		{ env: [...plain, value('RUNNER_NAME', '$(RUNNER_NAME)-b')] },
		'octo-org r1-b',
	],
	['the namespace', env(field('RUNNER_NAME', 'metadata.namespace')), 'octo-org ci'],
	['the uid', env(field('RUNNER_NAME', 'metadata.uid')), 'octo-org uid-1'],
	['the node', env(field('RUNNER_NAME', 'spec.nodeName')), 'octo-org node-1'],
	[
		'a label, which can be edited',
		env(field('RUNNER_NAME', "metadata.labels['x']")),
		"RUNNER_NAME is from metadata.labels['x'], which can change",
	],
	[
		'an annotation, by a reference',
		env(field('A', "metadata.annotations['x']"), value('RUNNER_NAME', 'a-$(A)')),
		'RUNNER_NAME refers to A, which is not known',
	],
	// A command, in place of the image's or handed to it.
	['a command that sets nothing', { env: plain, command: ['/home/runner/run.sh'] }, 'octo-org r1'],
	[
		'a command that reads the variables, and sets others',
		{
			env: plain,
			command: ['/bin/bash', '-c'],
			args: [
				`export RUNNER_LABELS=a MY_RUNNER_NAME=x RUNNER_NAME_SUFFIX=y; [ "$RUNNER_NAME" = "\${RUNNER_NAME:-r1}" ] && echo \${#RUNNER_ORG} && exec startup.sh --name "$RUNNER_NAME" --runner-name=$(RUNNER_NAME)`,
			],
		},
		'octo-org r1',
	],
	...[
		{ command: ['sh', '-c', 'RUNNER_NAME=x exec /entrypoint'] },
		{ command: ['env', 'RUNNER_NAME=x', '/entrypoint'] },
		{ args: ['-c', 'set -e\nexport RUNNER_NAME="x-$RUNNER_NAME"\nstartup.sh'] },
		{ command: ['env', '-u', 'RUNNER_NAME', '/entrypoint'] },
		{ args: ['unset RUNNER_NAME;startup.sh'] },
		{ args: [`: "\${RUNNER_NAME:=x}"; startup.sh`] },
		{ args: [`: "\${RUNNER_NAME=x}"; startup.sh`] },
		{ args: ['read RUNNER_NAME </etc/name; startup.sh'] },
		{ command: ['x'.repeat(longestCommand + 1)] },
		{ args: Array.from({ length: mostParts + 1 }, () => '') },
	].map((own): [string, Partial<Container>, string] => [
		`a command that may set its name, ${JSON.stringify(own).slice(0, 60)}`,
		{ env: plain, ...own },
		'its command may set RUNNER_NAME',
	]),
	...['RUNNER_ORG', 'RUNNER_REPO', 'RUNNER_ENTERPRISE', 'RUNNER_EPHEMERAL', 'GITHUB_URL'].map(
		(name): [string, Partial<Container>, string] => [
			`a command that sets ${name}`,
			{ env: plain, command: ['sh', '-c', `${name}= exec startup.sh`] },
			`its command may set ${name}`,
		],
	),
	[
		'a command that sets a ready-made registration',
		{ env: plain, command: ['sh', '-c', 'ACTIONS_RUNNER_INPUT_JITCONFIG=$(cat /jit) exec run.sh'] },
		'its command may set ACTIONS_RUNNER_INPUT_JITCONFIG',
	],
	[
		'as much as is searched',
		{
			env: plain,
			command: ['x'.repeat(longestCommand - 2), 'y', 'z'],
			args: Array.from({ length: 900 }, () => ''),
		},
		'octo-org r1',
	],
	['a Secret', env(secret('RUNNER_NAME')), `RUNNER_NAME ${configMap}`],
	[
		'a resource',
		env({ name: 'RUNNER_NAME', valueFrom: { resourceFieldRef: {} } }),
		`RUNNER_NAME ${configMap}`,
	],
	[
		'a Service’s variable',
		env(value('RUNNER_NAME', 'r-$(CACHE_SERVICE_HOST)')),
		"RUNNER_NAME refers to CACHE_SERVICE_HOST, a Service's variable",
	],
	[
		'a Service’s port',
		env(value('RUNNER_NAME', '$(CACHE_PORT_80_TCP)')),
		"RUNNER_NAME refers to CACHE_PORT_80_TCP, a Service's variable",
	],
	[
		'what no Service sets',
		env(value('RUNNER_NAME', '$(a-b_PORT)$(PORT)$(X_PORTS)')),
		'octo-org $(a-b_PORT)$(PORT)$(X_PORTS)',
	],
	// No more references are followed than anybody needs; what they do not concern stays certain.
	[
		'many references in the name',
		env(value('A', ''), value('RUNNER_NAME', `r${'$(A)'.repeat(200)}`)),
		'octo-org r',
	],
	[
		'too many references in the name',
		env(value('A', ''), value('B', '$(A)'.repeat(mostReferences)), value('RUNNER_NAME', 'r$(B)')),
		'RUNNER_NAME refers to B, which is not known',
	],
	[
		'too many references, in all',
		{
			env: [
				value('A', ''),
				value('RUNNER_NAME', `r${'$(A)'.repeat(mostReferences / 2)}`),
				...without('RUNNER_NAME'),
				value('GITHUB_URL', '$(A)'.repeat(mostReferences / 2 + 1)),
			],
		},
		'RUNNER_NAME refers to too many variables',
	],
	[
		'too many references in what is not read',
		env(value('A', ''), ...Array.from({ length: 9 }, (_, at) => value(`V${at}`, '$(A)'.repeat(200)))),
		'octo-org r1',
	],
	[
		'a reference that the token made too many',
		env(
			value('A', 'x'),
			secret('B'),
			value('RUNNER_TOKEN', '$(A)'.repeat(mostReferences)),
			value('RUNNER_NAME', '$(A)'),
		),
		'octo-org x',
	],
	[
		'a name that is set again and again',
		{ env: [...plain, ...Array.from({ length: 999 }, () => value('RUNNER_NAME', '$(RUNNER_NAME)'))] },
		'RUNNER_NAME refers to RUNNER_NAME, which is not known',
	],
	['no name', { env: without('RUNNER_NAME') }, 'no RUNNER_NAME in its container'],
	['an empty name', env(value('RUNNER_NAME', '')), 'no RUNNER_NAME in its container'],
	['references without an end', env(value('RUNNER_NAME', '$(a)$(b$$-$(c')), 'octo-org $(a)$(b$-$(c'],
	['a name without end', env(value('RUNNER_NAME', 'x'.repeat(longestValue + 1))), 'RUNNER_NAME is too long'],
	// envFrom comes first, and env overrides it.
	['envFrom beside a plain env', { env: plain, envFrom: [{}] }, 'octo-org r1'],
	['envFrom: a name', { env: without('RUNNER_NAME'), envFrom: [{}] }, `RUNNER_NAME ${elsewhere}`],
	['envFrom: another GitHub', { env: without('GITHUB_URL'), envFrom: [{}] }, `GITHUB_URL ${elsewhere}`],
	['envFrom: static', { env: without('RUNNER_EPHEMERAL'), envFrom: [{}] }, `RUNNER_EPHEMERAL ${elsewhere}`],
	['envFrom: an organization', { env: without('RUNNER_ORG'), envFrom: [{}] }, `RUNNER_ORG ${elsewhere}`],
	[
		'envFrom: an enterprise, which is not looked at',
		{ env: without('RUNNER_ENTERPRISE'), envFrom: [{}] },
		'octo-org r1',
	],
	[
		'envFrom whose names begin otherwise',
		{ env: without('RUNNER_NAME'), envFrom: [{ prefix: 'CACHE_' }] },
		'no RUNNER_NAME in its container',
	],
	[
		'envFrom whose names begin the same',
		{ env: without('RUNNER_NAME'), envFrom: [{ prefix: 'CACHE_' }, { prefix: 'RUNNER_' }] },
		`RUNNER_NAME ${elsewhere}`,
	],
	[
		'so many sources that their prefixes are not looked at',
		{
			env: without('RUNNER_NAME'),
			envFrom: Array.from({ length: mostSources + 1 }, () => ({ prefix: 'CACHE_' })),
		},
		`RUNNER_NAME ${elsewhere}`,
	],
	[
		'as many sources as are looked at',
		{
			env: without('RUNNER_NAME'),
			envFrom: Array.from({ length: mostSources }, () => ({ prefix: 'CACHE_' })),
		},
		'no RUNNER_NAME in its container',
	],
	[
		'envFrom: what is referred to',
		{ ...env(value('RUNNER_NAME', '$(A)')), envFrom: [{}] },
		'RUNNER_NAME refers to A, which is not known',
	],
	// Places, by the image's own rule.
	['a repository', env(value('RUNNER_ORG', ''), value('RUNNER_REPO', 'octo-org/app')), 'octo-org/app r1'],
	['an enterprise', env(value('RUNNER_ORG', ''), value('RUNNER_ENTERPRISE', 'e')), 'enterprises/e r1'],
	['an organization and a repository', env(value('RUNNER_REPO', 'octo-org/app')), 'octo-org r1'],
	['an organization and an enterprise', env(value('RUNNER_ENTERPRISE', 'e')), 'octo-org r1'],
	[
		'a repository and an enterprise',
		env(value('RUNNER_ORG', ''), value('RUNNER_REPO', 'o/a'), value('RUNNER_ENTERPRISE', 'e')),
		'o/a r1',
	],
	['all three', env(value('RUNNER_REPO', 'app'), value('RUNNER_ENTERPRISE', 'e')), 'octo-org/app r1'],
	[
		'all three, the repository with its owner',
		env(value('RUNNER_REPO', 'o/app'), value('RUNNER_ENTERPRISE', 'e')),
		'its scope is not a valid name',
	],
	['an organization that leads to a repository', env(value('RUNNER_ORG', 'o/a')), 'o/a r1'],
	[
		'an organization that leads to an enterprise',
		env(value('RUNNER_ORG', 'Enterprises/e')),
		'enterprises/e r1',
	],
	['a path upward', env(value('RUNNER_ORG', '../user')), 'its scope is not a valid name'],
	['a query', env(value('RUNNER_ORG', 'o?x')), 'its scope is not a valid name'],
	['a scope with a space', env(value('RUNNER_ORG', 'o ')), 'its scope is not a valid name'],
	[
		'three parts',
		env(value('RUNNER_ORG', ''), value('RUNNER_REPO', 'a/b/c')),
		'its scope is not a valid name',
	],
	[
		'nothing',
		env(value('RUNNER_ORG', '')),
		'no plain RUNNER_REPO, RUNNER_ORG or RUNNER_ENTERPRISE in its container',
	],
	['an organization from a ConfigMap', env(config('RUNNER_ORG')), `RUNNER_ORG ${configMap}`],
	['an enterprise from a ConfigMap, not looked at', env(config('RUNNER_ENTERPRISE')), 'octo-org r1'],
	[
		'a repository from a ConfigMap beside an enterprise',
		env(config('RUNNER_REPO'), value('RUNNER_ENTERPRISE', 'e')),
		`RUNNER_REPO ${configMap}`,
	],
	[
		'a repository from a ConfigMap, no organization',
		env(value('RUNNER_ORG', ''), config('RUNNER_REPO')),
		`RUNNER_REPO ${configMap}`,
	],
	[
		'an enterprise from a ConfigMap alone',
		env(value('RUNNER_ORG', ''), config('RUNNER_ENTERPRISE')),
		`RUNNER_ENTERPRISE ${configMap}`,
	],
	// GitHubs.
	['no GITHUB_URL', { env: without('GITHUB_URL') }, 'octo-org r1'],
	['without the slash', env(value('GITHUB_URL', 'https://github.com')), 'octo-org r1'],
	['www', env(value('GITHUB_URL', 'https://www.GitHub.com/')), 'octo-org r1'],
	[
		'a GitHub Enterprise Server',
		env(value('GITHUB_URL', 'https://ghes.example/')),
		'it belongs to another GitHub: ghes.example',
	],
	[
		'another port',
		env(value('GITHUB_URL', 'https://github.com:8443/')),
		'it belongs to another GitHub: github.com:8443',
	],
	[
		'data residency',
		env(value('GITHUB_URL', 'https://octo.ghe.com/')),
		'it belongs to another GitHub: octo.ghe.com',
	],
	['no URL', env(value('GITHUB_URL', 'github.com')), 'GITHUB_URL is not a web address'],
	['a URL with a path', env(value('GITHUB_URL', 'https://github.com/x/')), 'x/octo-org r1'],
	['a GitHub from a Secret', env(secret('GITHUB_URL')), `GITHUB_URL ${configMap}`],
	// Ephemeral: the image compares with `true`.
	['RUNNER_EPHEMERAL=false', env(value('RUNNER_EPHEMERAL', 'false')), 'octo-org r1 static'],
	['RUNNER_EPHEMERAL=True', env(value('RUNNER_EPHEMERAL', 'True')), 'octo-org r1 static'],
	['RUNNER_EPHEMERAL=0', env(value('RUNNER_EPHEMERAL', '0')), 'octo-org r1 static'],
	['RUNNER_EPHEMERAL empty', env(value('RUNNER_EPHEMERAL', '')), 'octo-org r1 static'],
	['no RUNNER_EPHEMERAL', { env: without('RUNNER_EPHEMERAL') }, 'octo-org r1 static'],
	[
		'RUNNER_EPHEMERAL by a reference',
		env(value('E', 'true'), value('RUNNER_EPHEMERAL', '$(E)')),
		'octo-org r1',
	],
	['RUNNER_EPHEMERAL from a Secret', env(secret('RUNNER_EPHEMERAL')), `RUNNER_EPHEMERAL ${configMap}`],
] as [string, Partial<Container>, string][])
	test(`${what}: ${says.slice(0, 60)}`, () => assert.is(identity(podOf(container)), says));

test('references that double with each variable cost nothing', () => {
	const doubling = Array.from({ length: 60 }, (_, at) => value(`V${at + 1}`, `$(V${at})$(V${at})`));
	const container = env(value('V0', 'x'), ...doubling, value('RUNNER_NAME', '$(V60)'));
	const startedMs = performance.now();
	assert.is(identity(podOf(container)), 'RUNNER_NAME refers to V60, which is not known');
	assert.ok(performance.now() - startedMs < 1_000);
});

test('a reason is never longer than a message can be', () => {
	const long = 'X'.repeat(5_000);
	const referring = readRunnerPod(
		podOf(env(value('RUNNER_NAME', `$(${long}_PORT)`.slice(0, 900)), secret('A'))),
	);
	assert.ok((referring?.uncertain ?? '').length <= 200);
	const field = readRunnerPod(
		podOf(env({ name: 'RUNNER_NAME', valueFrom: { fieldRef: { fieldPath: long } } })),
	);
	assert.is(field?.uncertain?.length, 200);
	assert.is(field?.scope, undefined);
});

test('the cache keeps of a pod what tells which runner it is, and no more', () => {
	const container = {
		name: 'runner',
		image: 'i',
		env: [
			value('SECRET', 'x'),
			value('POD', 'p'),
			value('PREFIX', 'a-$(POD)'),
			value('UNUSED', '$(SECRET)'),
			value('RUNNER_NAME', '$(PREFIX)$$(UNUSED)'),
			secret('RUNNER_TOKEN'),
			value('GITHUB_URL', 'y'.repeat(100_000)),
		],
		envFrom: [{ prefix: 'A_', configMapRef: { name: 'c' } }, { secretRef: {} }],
	};
	const kept = trimContainer(container);
	assert.equal(
		kept.env?.map(({ name }) => name),
		['POD', 'PREFIX', 'RUNNER_NAME', 'RUNNER_TOKEN', 'GITHUB_URL'],
	);
	assert.is(kept.env?.at(-1)?.value?.length, longestValue + 1);
	assert.equal(kept.envFrom, [{ prefix: 'A_' }, {}]);
	assert.is('image' in kept, false);
	assert.equal(trimContainer({ name: 'runner' }), { name: 'runner', env: [] });
});

test('addresses of organizations, repositories and enterprises, also on other GitHubs', () => {
	const parts = (url: string) => {
		const found = scopeFromUrl(url);
		return found && `${found.host} ${scopeKey(found.scope)}`;
	};
	assert.is(parts('https://GHES.example:8443/octo-org/'), 'ghes.example:8443 octo-org');
	assert.is(parts('https://github.com/enterprises/octo'), 'github.com enterprises/octo');
	assert.is(parts('http://127.0.0.1:81/a/b'), '127.0.0.1:81 a/b');
	assert.is(parts('https://github.com:443/a'), 'github.com a');
	assert.is(parts('https://github.com///a/b//'), 'github.com a/b');
	assert.is(parts(`https://github.com/a${'/'.repeat(2_029)}`), undefined, 'too long for an address');
	for (const url of [
		'https://github.com/a/b/c',
		'https://github.com/',
		'https://github.com',
		'https://github.com/a//b',
		'https://github.com/a/../b',
		'https://github.com/a/./b',
		'https://github.com/a%2fb',
		'https://github.com/a/..',
		'https://github.com/a/b c',
		'ftp://github.com/a',
		'https:///a',
		'https://github.com/a#b',
		'ftp://github.com/a',
		'not a url',
		'',
	])
		assert.is(parts(url), undefined, url);
});

// Scale sets.
const owner = (name = 'p1', uid = 'er-uid') => ({
	apiVersion: 'actions.github.com/v1alpha1',
	kind: 'EphemeralRunner',
	name,
	uid,
});
const owned = { labels: { 'actions-ephemeral-runner': 'True' }, ownerReferences: [owner()] };
const scaleSetPod = (
	metadata: Partial<Pod['metadata']> = {},
	container: Partial<Container> = jitContainer('p1'),
) => podOf(container, { ...owned, ...metadata });
const er = (spec: EphemeralRunner['spec'] = {}, status: EphemeralRunner['status'] = {}): EphemeralRunner => ({
	metadata: { name: 'p1', uid: 'er-uid' },
	spec: { githubConfigUrl: 'https://github.com/octo-org/app', githubConfigSecret: 'creds', ...spec },
	status,
});
const pin = { scope: 'octo-org/app', host: 'github.com', credentialsSecret: 'creds' };
const gone = 'no EphemeralRunner, and no signed scope';
const another = 'its owner is not the EphemeralRunner of its name';
const notOwn = 'its JIT configuration is not its own';
const labels = { 'actions.github.com/organization': 'evil', 'actions-ephemeral-runner': 'True' };

for (const [what, pod, facts, says] of [
	['its EphemeralRunner', scaleSetPod(), { ephemeralRunner: er() }, 'octo-org/app p1'],
	['... whatever its labels say', scaleSetPod({ labels }), { ephemeralRunner: er() }, 'octo-org/app p1'],
	['... without labels and owners', podOf(jitContainer('p1')), { ephemeralRunner: er() }, 'octo-org/app p1'],
	['... and its status', scaleSetPod(), { ephemeralRunner: er({}, { runnerName: 'p1' }) }, 'octo-org/app p1'],
	['another owner', scaleSetPod({ ownerReferences: [owner('evil')] }), { ephemeralRunner: er() }, another],
	[
		'another owner, which is found nowhere',
		scaleSetPod({ ownerReferences: [owner('evil')] }),
		{ pin },
		another,
	],
	['another uid', scaleSetPod({ ownerReferences: [owner('p1', 'x')] }), { ephemeralRunner: er() }, another],
	['another Secret', scaleSetPod({}, jitContainer('other')), { ephemeralRunner: er() }, notOwn],
	[
		'a plain registration',
		scaleSetPod({}, { env: [value('ACTIONS_RUNNER_INPUT_JITCONFIG', 'x')] }),
		{ ephemeralRunner: er() },
		notOwn,
	],
	[
		'twice: the last counts',
		scaleSetPod({}, { env: [...(jitContainer('evil').env ?? []), ...(jitContainer('p1').env ?? [])] }),
		{ ephemeralRunner: er() },
		'octo-org/app p1',
	],
	[
		'twice, the other way round',
		scaleSetPod({}, { env: [...(jitContainer('p1').env ?? []), ...(jitContainer('evil').env ?? [])] }),
		{ ephemeralRunner: er() },
		notOwn,
	],
	['from envFrom', scaleSetPod({}, { envFrom: [{}] }), { ephemeralRunner: er() }, notOwn],
	[
		'a registration beside a plain scope wins',
		scaleSetPod({}, { env: [...plain, ...(jitContainer('p1').env ?? [])] }),
		{ ephemeralRunner: er() },
		'octo-org/app p1',
	],
	[
		'an empty one does not',
		podOf({ env: [...plain, value('ACTIONS_RUNNER_INPUT_JITCONFIG', '')] }, owned),
		{ ephemeralRunner: er() },
		'octo-org r1',
	],
	[
		'labels and owners of a scale set on another runner',
		podOf({ env: plain }, { ...owned, labels }),
		{ ephemeralRunner: er() },
		'octo-org r1',
	],
	[
		'a status that names another runner',
		scaleSetPod(),
		{ ephemeralRunner: er({}, { runnerName: 'victim' }) },
		'its EphemeralRunner names another runner',
	],
	[
		'another GitHub',
		scaleSetPod(),
		{ ephemeralRunner: er({ githubConfigUrl: 'https://ghes.example/octo-org' }) },
		'it belongs to another GitHub: ghes.example',
	],
	[
		'no address',
		scaleSetPod(),
		{ ephemeralRunner: er({ githubConfigUrl: 'octo-org' }) },
		"its EphemeralRunner's githubConfigUrl names no scope",
	],
	['gone', scaleSetPod(), {}, gone],
	['gone, with labels', scaleSetPod({ labels }), {}, gone],
	['gone, pinned', scaleSetPod({ labels }), { pin }, 'octo-org/app p1'],
	['gone, without an owner, pinned', podOf(jitContainer('p1')), { pin }, 'octo-org/app p1'],
	['gone, pinned to what is no scope', scaleSetPod(), { pin: { ...pin, scope: '..' } }, gone],
	[
		'gone, pinned to another GitHub',
		scaleSetPod(),
		{ pin: { ...pin, host: 'ghes.example' } },
		'it belongs to another GitHub: ghes.example',
	],
	[
		'its own command, as ARC writes it, and one that names what is not decided by it',
		podOf({ ...jitContainer('p1'), command: ['sh', '-c', 'RUNNER_NAME=x /home/runner/run.sh'] }, owned),
		{ ephemeralRunner: er() },
		'octo-org/app p1',
	],
	[
		'a command that sets its registration',
		podOf(
			{ ...jitContainer('p1'), command: ['env', 'ACTIONS_RUNNER_INPUT_JITCONFIG=x', '/home/runner/run.sh'] },
			owned,
		),
		{ ephemeralRunner: er(), pin },
		'its command may set ACTIONS_RUNNER_INPUT_JITCONFIG',
	],
	['there, and pinned', scaleSetPod(), { ephemeralRunner: er(), pin }, 'octo-org/app p1'],
	[
		'there, pinned with another Secret: another credential cannot lie about the scope',
		scaleSetPod(),
		{ ephemeralRunner: er({ githubConfigSecret: 'rotated' }), pin },
		'octo-org/app p1',
	],
	[
		'there, pinned to another scope',
		scaleSetPod(),
		{ ephemeralRunner: er({ githubConfigUrl: 'https://github.com/evil' }), pin },
		'its scope has changed since it was first seen: it was octo-org/app',
	],
	[
		'there, pinned, in another case',
		scaleSetPod(),
		{ ephemeralRunner: er({ githubConfigUrl: 'https://github.com/Octo-Org/APP' }), pin },
		'Octo-Org/APP p1',
	],
	[
		'there, pinned to another host',
		scaleSetPod(),
		{ ephemeralRunner: er(), pin: { ...pin, host: 'ghes.example' } },
		'its scope has changed since it was first seen: it was octo-org/app',
	],
] as [string, Pod, Known, string][])
	test(`scale set, ${what}: ${says}`, () => assert.is(identity(pod, facts), says));

test('credentials of a scale set come from its EphemeralRunner, then from the pin, and never from an annotation', () => {
	const annotations = { 'actions-runner/github-api-creds-secret': 'evil' };
	const secretOf = (facts: Known) => read(scaleSetPod({ annotations }), facts)?.credentialsSecret;
	assert.is(secretOf({ ephemeralRunner: er(), pin: { ...pin, credentialsSecret: 'before' } }), 'creds');
	assert.is(secretOf({ pin: { ...pin, credentialsSecret: 'before' } }), 'before');
	assert.is(secretOf({}), undefined);
	const noSecret = { metadata: { name: 'p1', uid: 'er-uid' }, spec: {} };
	assert.is(secretOf({ ephemeralRunner: noSecret, pin }), undefined);
	assert.is(readRunnerPod(podOf({ env: plain }, { annotations }))?.credentialsSecret, 'evil');
});

test('the EphemeralRunner of a pod is the one of its name, also where its owner was edited away; other runners have none', () => {
	assert.equal(read(podOf(jitContainer('p1')), { ephemeralRunner: er() })?.owner, {
		name: 'p1',
		uid: 'er-uid',
		found: true,
	});
	assert.equal(read(scaleSetPod())?.owner, { name: 'p1', uid: 'er-uid', found: false });
	assert.is(read(podOf(jitContainer('p1')))?.owner, undefined);
	const legacy = read(podOf({ env: plain }, owned), { ephemeralRunner: er({}, { jobId: '1', runnerId: 4 }) });
	assert.equal([legacy?.owner, legacy?.busyHint, legacy?.runnerId], [undefined, undefined, undefined]);
});

test('of which kind a pod is, and what it is called, where its variables do not tell', () => {
	const kindOf = (pod: Pod) => {
		const { kind, runnerName, credentialsSecret } = readRunnerPod(pod) ?? {};
		return [kind, runnerName, credentialsSecret, ephemeralRunnerOf(pod)];
	};
	const bare = { env: [] };
	assert.equal(kindOf(podOf(bare)), ['legacy', 'p1', undefined, undefined]);
	assert.equal(kindOf(podOf(bare, { labels: owned.labels })), ['scale-set', 'p1', undefined, 'p1']);
	const byOwner = { labels: { 'actions-runner': '' }, ownerReferences: [owner()] };
	assert.equal(kindOf(podOf(bare, byOwner)), ['scale-set', 'p1', undefined, 'p1']);
	const noSecret = { 'actions-runner/github-api-creds-secret': '' };
	assert.equal(kindOf(podOf({ env: plain }, { annotations: noSecret })), [
		'legacy',
		'r1',
		undefined,
		undefined,
	]);
	assert.equal(kindOf(podOf(jitContainer('p1')))[3], 'p1');
	assert.is(ephemeralRunnerOf({ metadata: { name: 'x' } }), undefined);
});

test('where the image would register a runner that has no name yet', () => {
	const scopeIn = (env: EnvVar[]) => {
		const container = { name: 'runner', env };
		const scope = scopeInEnvironment(container, podOf(container));
		return scope && scopeKey(scope);
	};
	assert.is(scopeIn(without('RUNNER_NAME')), 'octo-org');
	assert.is(scopeIn([secret('RUNNER_ORG')]), undefined);
	assert.is(scopeIn([value('RUNNER_ORG', '..')]), undefined);
	assert.is(scopeIn([]), undefined);
});

test('without a GitHub to compare with, a runner of any is shown as it is', () => {
	const shown = readRunnerPod(podOf(env(value('GITHUB_URL', 'https://ghes.example'))));
	assert.equal([shown?.host, shown?.scope?.kind], ['ghes.example', 'organization']);
});

test.run();
