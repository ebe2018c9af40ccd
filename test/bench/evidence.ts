/**
 * What job signals cost: how soon a job is on its pod, what a hook adds to a job's start, what the runner's log adds to
 * a decision, what the quiet period adds to deletions. Each is compared with the same thing without the server, in the
 * same run; the simulated runners' shells, the control plane and the server share the machine, so absolute figures need
 * an idle one.
 *
 * `PARTS=jobs,hook,log,deletions,arc make bench BENCH=evidence` for some of it; all takes some 6 minutes.
 */
import { startRig } from '../rig/rig.ts';
import { besideArc } from './evidence/beside-arc.ts';
import { deletions } from './evidence/deletions.ts';
import { hookCost, jobStarts } from './evidence/job-starts.ts';
import { logCost } from './evidence/log-cost.ts';
import { table } from './figures.ts';
import { load } from './sets/stage.ts';

const ofSets = { jobs: jobStarts, hook: hookCost, log: logCost, deletions };
const wanted = (process.env.PARTS ?? [...Object.keys(ofSets), 'arc'].join(',')).split(',');
const parts = Object.entries(ofSets).filter(([name]) => wanted.includes(name));

if (parts.length > 0) {
	const rig = await startRig({ sets: true });
	try {
		for (const [, part] of parts) await report(part(rig));
	} finally {
		await rig.stop();
	}
}
if (wanted.includes('arc')) await report(besideArc());

async function report(part: Promise<{ title: string; rows: string[][] }>): Promise<void> {
	const before = load();
	const { title, rows } = await part;
	console.log(`\n${title}; load ${before} before, ${load()} after\n${table(rows)}`);
}
