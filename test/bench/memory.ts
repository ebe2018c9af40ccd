/** Resident memory of the leader that watches 5,000 runner pods. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startRig } from '../rig/rig.ts';
import { runnerSetPod } from '../sim/pods.ts';
import { table } from './figures.ts';

const pods = 5_000;
const rig = await startRig({ nodes: [] });
try {
	const [server] = rig.servers;
	if (!server) throw new Error('no server');
	const empty = await server.rssMiB();
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
	const watched = await server.rssMiB();
	const listing = await rig.addServer();
	const before = rig.servers[0];
	if (before && before !== listing) await before.stop();
	await sleep(25_000); // the second server leads, and has listed them all at once
	const listed = await listing.rssMiB();
	console.log(
		table([
			['leader', 'RSS MiB'],
			['no pods', empty.toFixed(0)],
			[`${pods} pods, arrived one by one`, watched.toFixed(0)],
			[`${pods} pods, listed at the start`, listed.toFixed(0)],
		]),
	);
} finally {
	await rig.stop();
}
