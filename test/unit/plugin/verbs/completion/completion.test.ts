import { execFileSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { complete } from '../../../../../plugin/verbs/completion/candidates.ts';
import type { NameKind } from '../../../../../plugin/verbs/completion/names.ts';
import { scripts } from '../../../../../plugin/verbs/completion/scripts.ts';
import { verbs } from '../../../../../plugin/verbs/index.ts';
import { suite } from '../../../../support/suite.ts';

const test = suite('plugin: completion');

const asked: { kind: NameKind; namespace: string | undefined }[] = [];
const names: Record<NameKind, string[]> = {
	runner: ['example-0', 'example-1', 'other-0'],
	set: ['runnerset/example', 'runnerdeployment/fleet'],
	autoscaler: ['example', 'nightly'],
	node: ['worker-1', 'worker-2'],
	namespace: ['ci', 'default'],
	context: ['prod', 'test'],
	cluster: ['c'],
	user: ['u'],
};

async function candidates(...argv: string[]): Promise<string[]> {
	const { candidates: found } = await complete(verbs, argv, async (kind, flags) => {
		asked.push({ kind, namespace: flags.namespace });
		return names[kind].map((value) => ({ value }));
	});
	return found.map(({ value }) => value);
}

for (const [argv, expected] of [
	[['d'], ['delete', 'drain', 'doctor']],
	[['help', 'wa'], ['wait']],
	[
		['delete', ''],
		['example-0', 'example-1', 'other-0'],
	],
	[['delete', 'example-0', 'ex'], ['example-1']],
	[['rm', 'o'], ['other-0']],
	[['drain', 'worker-2'], ['worker-2']],
	[
		['completion', ''],
		['bash', 'zsh', 'fish'],
	],
	[
		['list', '-n', ''],
		['ci', 'default'],
	],
	[['list', '--namespace=d'], ['--namespace=default']],
	[['list', '--context', 'p'], ['prod']],
	[
		['list', '-o', ''],
		['wide', 'json', 'yaml', 'name'],
	],
	[
		['why', '-o', ''],
		['json', 'yaml'],
	],
	[['wait', 'example-0', '--for', 'i'], ['idle']],
	[['autoscale', 'fl'], ['fleet']],
	[['autoscale', 'fleet', '--name', 'n'], ['nightly']],
	[
		['jobs', '-o', ''],
		['wide', 'json', 'yaml', 'name'],
	],
	[['jobs', '--server-namespace=c'], ['--server-namespace=ci']],
	[['protect', 'ci', ''], ['default']],
	[['install', '--evictions', ''], ['fail-closed']],
	[['drain', '--dry-run=s'], ['--dry-run=server']],
	[['delete', '--no'], ['--now']],
	[
		['list', '-A', 'ex'],
		['example-0', 'example-1'],
	],
	[['list', '-l', ''], []],
	[['version', ''], []],
	[['nonsense', ''], []],
] as const) {
	test(`kubectl runners ${argv.join(' ')}<Tab>`, async () =>
		assert.equal(await candidates(...argv), [...expected]));
}

test('names come from the cluster and namespace that the flags typed so far select', async () => {
	asked.length = 0;
	await candidates('delete', '-n', 'ci', 'ex');
	assert.equal(asked, [{ kind: 'runner', namespace: 'ci' }]);
	asked.length = 0;
	await candidates('autoscale', '-n', 'ci', '--name', 'ex');
	assert.equal(asked, [{ kind: 'autoscaler', namespace: 'ci' }]);
	asked.length = 0;
	await candidates('delete', '--tim');
	assert.equal(asked, []);
});

test('every verb is offered with its summary, except hidden ones', async () => {
	const { candidates: found } = await complete(verbs, ['']);
	assert.ok(found.every(({ description }) => description));
	assert.not(found.some(({ value }) => value.startsWith('__')));
});

test('a file may follow --kubeconfig, and nothing else', async () => {
	assert.is((await complete(verbs, ['list', '--kubeconfig', ''])).files, true);
	assert.is((await complete(verbs, ['list', '-n', ''], async () => [])).files, false);
});

test('the bash script completes the bare command', () => {
	const script = `
kubectl-runners() { printf '%s\\n' "delete	Delete runner pods" "drain	Empty a node" ":4"; echo "$*" >&3; }
${scripts.bash}
COMP_WORDS=(kubectl-runners d) COMP_CWORD=1
__kubectl_runners_complete
printf '%s,' "\${COMPREPLY[@]}"
`;
	const out = execFileSync('bash', ['-c', script], {
		encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'inherit', 'ignore'],
	});
	assert.is(out, 'delete,drain,');
});

test.run();
