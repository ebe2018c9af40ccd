/** `make demo`: the main scenario, step by step. Fails if a step does not have the expected result. */
import { setTimeout as sleep } from 'node:timers/promises';
import { runners, setStage } from './stage.ts';
import { bad, good, note, say, type } from './terminal.ts';

const startedMs = Date.now();
const seconds = () => `${((Date.now() - startedMs) / 1000).toFixed(1)}s`;
const kubeconfig = process.argv[2];

say('A cluster, a GitHub and the guard');
const { rig, env } = await setStage(kubeconfig, false, (line) => note(`  ${line}`)).catch(
	(error: unknown) => {
		bad(`error: ${error instanceof Error ? error.message : String(error)}`);
		process.exit(1);
	},
);
const endWith = (code: number) => rig.stop().then(() => process.exit(code));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void endWith(130));

let failures = 0;
function expect(what: string, verify: boolean): void {
	if (!verify) failures += 1;
	(verify ? good : bad)(`  ${verify ? '✓' : '✗'} ${what}`);
}
const gone = async (name: string) => (await rig.pod(name, 'demo')) === undefined;

try {
	note(`  guard installed from manifests/overlays/local, three runners registered at GitHub (${seconds()})`);
	const busy = runners[1];
	const node = (await rig.pod(busy, 'demo'))?.spec?.nodeName ?? 'node-1';

	say(`\n${busy} gets a job`);
	await rig.agents.runJob('demo', busy);
	await sleep(500);
	await type(['kubectl', 'runners', 'list', '-n', 'demo'], env);

	say('\nSomebody deletes it. Anywhere else the job would be cancelled now');
	const refused = await type(['kubectl', 'delete', 'pod', busy, '-n', 'demo'], env);
	expect('kubectl says no, and says why', refused !== 0);
	expect(
		'the job goes on: the pod was never stopped',
		(await rig.pod(busy, 'demo'))?.metadata.deletionTimestamp === undefined,
	);

	say('\nAn idle runner goes: GitHub has unregistered it first, and its log is read once more');
	const deleted = await type(['kubectl', 'delete', 'pod', runners[0], '-n', 'demo'], env);
	expect('deleted', deleted === 0 && (await gone(runners[0])));

	say('\nThe node is drained; drain waits for the job');
	const draining = type(['kubectl', 'drain', node, '--force', '--ignore-daemonsets', '--timeout=60s'], env);
	await sleep(7_000);
	expect('the job still runs', rig.agents.killedJobs().length === 0 && !(await gone(busy)));

	say(`\n  ... ${busy}'s job ends`);
	await rig.agents.endJob('demo', busy);
	const endedMs = Date.now();
	while (!(await gone(busy)) && Date.now() - endedMs < 15_000) await sleep(20);
	expect(
		`its pod is gone ${Date.now() - endedMs} ms later: the deletion was remembered, nobody asked again`,
		await gone(busy),
	);
	expect('drain is done, exit code 0', (await draining) === 0);

	say('\nWhat it cost');
	for (const line of rig.github.callsTable().trimEnd().split('\n')) console.log(`  ${line}`);
	expect('jobs killed: 0', rig.agents.killedJobs().length === 0);
} catch (error) {
	failures += 1;
	bad(`error: ${error instanceof Error ? error.message : String(error)}`);
}
say(
	failures === 0
		? `\nDone in ${seconds()}. Try it yourself: make demo-up`
		: `\n${failures} of the promises did not hold`,
);
await endWith(failures === 0 ? 0 : 1);
