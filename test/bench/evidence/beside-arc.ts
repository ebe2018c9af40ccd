import { quietMs } from '../../../admission/guard/rules/policy.ts';
import { idleDownByArc } from '../../rig/arc-idle-down.ts';
import { startRig } from '../../rig/rig.ts';

const runners = 50;

/** ARC's own scale-down of idle runners, with and without the guard. */
export async function besideArc(): Promise<{ title: string; rows: string[][] }> {
	const rig = await startRig();
	try {
		const { beside, alone } = await idleDownByArc(rig, runners);
		const rows = Object.entries({ 'beside us': beside, alone }).map(([what, figures]) => [
			what,
			(figures.tookMs / 1_000).toFixed(1),
			`${figures.removed}`,
			`${figures.lists}`,
			`${figures.deletes}`,
		]);
		const slower = ((beside.tookMs - alone.tookMs) / 1_000).toFixed(1);
		return {
			title: `ARC scales ${runners} idle runners down`,
			rows: [
				['', 's', 'removed at GitHub', 'lists of ours', 'DELETEs of ours'],
				...rows,
				['slower beside us', slower, '', '', `goal: at most the quiet period, ${quietMs / 1_000} s`],
			],
		};
	} finally {
		await rig.stop();
	}
}
