/**
 * How the cost of sets grows with the number of runners and of sets: 0 to N, each line with its own control plane and
 * server. `SIZES=50,500,2000 SETS=1,10,100 KINDS=RunnerDeployment make bench BENCH=growth`; PROFILES=FOLDER makes each
 * server write a CPU profile. All sets are in one organization, because GitHub limits tokens per minute.
 */
import { availableParallelism } from 'node:os';
import { type Kind, kinds } from '../rig/runner-sets.ts';
import { table } from './figures.ts';
import { callsDuring, serverUser } from './sets/api-calls.ts';
import { growthRows, type Line, superlinear } from './sets/growth-table.ts';
import { until } from './sets/runs.ts';
import { load, Stage } from './sets/stage.ts';

const numbers = (text: string) =>
	text
		.split(',')
		.map(Number)
		.filter((count) => count > 0);
const sizes = numbers(process.env.SIZES ?? '50,500,2000');
const setCounts = numbers(process.env.SETS ?? '1,10,100');
const wantedKinds = (process.env.KINDS ?? 'RunnerDeployment').split(',');
/** What takes longer is NaN in the table. */
const withinMs = 150_000;

console.log(`${availableParallelism()} cores, load ${load()} at the start`);
for (const kind of kinds.filter((one) => wantedKinds.includes(one)))
	for (const sets of setCounts) {
		const lines: Line[] = [];
		for (const runners of sizes.filter((count) => count >= sets)) {
			lines.push(await measure(kind, sets, runners));
			console.error(`${kind}, ${sets} sets, ${runners} runners (load ${load()})`);
		}
		const last = lines.at(-1);
		if (!last) continue;
		console.log(
			`\n${kind}, ${sets} ${sets === 1 ? 'set' : 'sets'}; load ${load()}\n${table(growthRows(lines))}`,
		);
		for (const line of superlinear(lines)) console.log(line);
		console.log(`calls of the ${last.runners}: ${last.callsBy.slice(0, 12).join(', ')}`);
	}

async function measure(kind: Kind, sets: number, runners: number): Promise<Line> {
	// 1,000 pods fit on one.
	const nodes = Array.from({ length: Math.ceil(runners / 1_000) + 1 }, (_, index) => `node-${index + 1}`);
	const cluster = { audit: { users: [serverUser] } };
	const stage = await Stage.open(process.env.PROFILES, { cluster, nodes });
	const all = await stage.sets(kind, sets);
	try {
		const fromMs = Date.now();
		const share = (index: number) => Math.floor(runners / sets) + (index < runners % sets ? 1 : 0);
		const sum = (count: (set: (typeof all)[number]) => number) =>
			all.reduce((total, set) => total + count(set), 0);
		const work = async () => {
			await Promise.all(all.map((set, index) => set.patch({ spec: { replicas: share(index) } })));
			const reached = async (count: (set: (typeof all)[number]) => number) => {
				await until(() => sum(count) === runners, withinMs);
				return sum(count) === runners ? (Date.now() - fromMs) / 1000 : Number.NaN;
			};
			const podsExist = await reached((set) => set.uids.size);
			return { podsExist, idsKnown: await reached((set) => set.knownAtMs.size) };
		};
		const { value: measured, calls } = await callsDuring(stage, () => stage.cost(work));
		const { value, cost } = measured;
		return {
			sets,
			runners,
			...value,
			cpuSeconds: cost.cpuSeconds,
			peakRssMiB: await stage.peakRssMiB(),
			apiCalls: calls.reduce((total, [, count]) => total + count, 0),
			callsBy: calls.map(([what, count]) => `${count} ${what}`),
			gitHubCalls: cost.githubCalls,
		};
	} finally {
		for (const set of all) set.stop();
		await stage.close();
	}
}
