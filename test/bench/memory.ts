/** Resident memory of the leader that watches 5,000 runner pods: now, and its peak since the start. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRig } from '../rig/rig.ts';
import type { ServerProcess } from '../rig/server-process.ts';
import { runnerSetPod } from '../sim/pods.ts';
import { table } from './figures.ts';

const pods = 5_000;
const rig = await startRig({ nodes: [] });
try {
	const [server] = rig.servers;
	if (!server) throw new Error('no server');
	const empty = await memoryOf(server);
	for (let made = 0; made < pods; made += 500) {
		await rig.apply(
			...Array.from({ length: 500 }, (_, index) =>
				runnerSetPod({ name: `r-${made + index}`, dockerSidecar: true }),
			),
		);
		process.stderr.write(`\r${made + 500} pods`);
	}
	process.stderr.write('\n');
	await sleep(5_000);
	const watched = await memoryOf(server);
	const listing = await rig.addServer();
	const before = rig.servers[0];
	if (before && before !== listing) await before.stop();
	await sleep(25_000); // the second server becomes the leader, and lists them all at once
	const listed = await memoryOf(listing);
	console.log(
		table([
			['leader', 'RSS MiB', 'peak'],
			['no pods, has just issued its certificates', ...empty],
			[`${pods} pods, arrived one by one`, ...watched],
			[`${pods} pods, listed at the start`, ...listed],
		]),
	);
} finally {
	await rig.stop();
}

async function memoryOf({ pid }: ServerProcess): Promise<[now: string, peak: string]> {
	const status = await readFile(`/proc/${pid}/status`, 'utf8');
	const mebibytes = (field: string) =>
		(Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024).toFixed(0);
	return [mebibytes('VmRSS'), mebibytes('VmHWM')];
}
