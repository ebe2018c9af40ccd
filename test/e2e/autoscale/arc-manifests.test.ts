/** The autoscalers of ARC's documentation, applied unchanged, for both kinds of targets. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import type { HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import { eventually } from '../../rig/eventually.ts';
import { failures, type History, startHistory } from '../../rig/history.ts';
import type { Rig } from '../../rig/rig.ts';
import { kinds } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

const folder = join(import.meta.dirname, '../../fixtures/arc-autoscalers');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

interface Manifest {
	kind: string;
	metadata: { name: string };
	spec: Record<string, unknown>;
}

const test = suite<{ rig: Rig; history: History }>("ARC's documented autoscalers");

test.before(async (context) => {
	context.rig = await stage('sets');
	context.history = await startHistory(context.rig);
});
test.after(async ({ rig, history }) => {
	history?.stop();
	await end(rig);
});

/** The target that a manifest leaves out, or the one of its file, as this kind. */
function targetOf(all: readonly Manifest[], name: string, kind: string, organization: string): object {
	const own = all.find((one) => one.kind !== 'HorizontalRunnerAutoscaler');
	const template = own?.spec.template as { spec: Record<string, unknown> } | undefined;
	const runner = { ...template?.spec, repository: undefined, organization, dockerEnabled: false };
	return {
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind,
		metadata: { name },
		spec:
			kind === 'RunnerSet'
				? {
						...runner,
						selector: { matchLabels: { app: name } },
						serviceName: name,
						template: { metadata: { labels: { app: name } } },
					}
				: { template: { spec: runner } },
	};
}

for (const file of files)
	for (const kind of kinds)
		test(`${basename(file, '.yaml')}, for a ${kind}: accepted as it is, acts, and scales to its minimum`, async ({
			rig,
		}) => {
			const namespace = `octo-arc-${basename(file, '.yaml')}-${kind.toLowerCase()}`;
			await rig.cluster.createNamespace(namespace);
			rig.github.addScope(`orgs/${namespace}`);
			const all = loadAll(readFileSync(join(folder, file), 'utf8')) as Manifest[];
			const autoscaler = all.find((one) => one.kind === 'HorizontalRunnerAutoscaler');
			assert.ok(autoscaler, `${file} has no autoscaler`);
			const ref = autoscaler.spec.scaleTargetRef as { kind?: string; name: string };
			const target = targetOf(all, ref.name, kind, namespace);
			// ARC's text has the other kind as a comment beside it.
			const scaled = { ...autoscaler, spec: { ...autoscaler.spec, scaleTargetRef: { ...ref, kind } } };
			for (const object of [target, scaled])
				await rig.ok(['-n', namespace, 'apply', '-f', '-'], JSON.stringify(object));
			const path = `/apis/actions.summerwind.dev/v1alpha1/namespaces/${namespace}/horizontalrunnerautoscalers/${autoscaler.metadata.name}`;
			const status = await eventually(`${file} acts`, async () => {
				const object = await rig.kube.get<HorizontalRunnerAutoscaler>(path);
				return object.status?.desiredReplicas === undefined ? undefined : object.status;
			});
			// At weekends this one wants none.
			const least = file === 'scheduled-weekly.yaml' ? 0 : Number(autoscaler.spec.minReplicas ?? 1);
			assert.ok((status.desiredReplicas ?? -1) >= least, `${status.desiredReplicas} wanted`);
			const active = status.conditions?.find(({ type }) => type === 'ScalingActive');
			assert.is(active?.status, 'True', JSON.stringify(status.conditions));
			await eventually(
				`its ${status.desiredReplicas} runners are there`,
				async () => (await rig.pods(namespace)).length >= Math.min(2, status.desiredReplicas ?? 0),
				{ withinMs: 60_000 },
			);
			const resource = kind === 'RunnerSet' ? 'runnersets' : 'runnerdeployments';
			await rig.ok(['-n', namespace, 'delete', 'horizontalrunnerautoscaler', '--all']);
			await rig.ok(['-n', namespace, 'delete', resource, '--all', '--wait=false']);
		});

test('meanwhile no invariant was violated, and no error was logged', async ({ rig, history }) => {
	assert.equal(await failures(rig, history), []);
});

test.run();
