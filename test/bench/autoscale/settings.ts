import { type Constants, newNodes, usualDay } from './constants.ts';
import type { Policy } from './simulate.ts';

const minute = 60_000;

interface Setting {
	name: string;
	policy: Policy;
	/** Part of the pods whose runner hangs, where it is another one than the scenario's. */
	sick?: number;
}

const bounds: Setting[] = [
	{ name: 'floor', policy: { kind: 'floor' } },
	{ name: 'oracle', policy: { kind: 'oracle' } },
];

const arc = (duration: string, durationMs: number, delay: number): Setting => ({
	name: `ARC ${duration}, delay ${delay}m`,
	policy: { kind: 'arc', settings: { durationMs, delayMs: delay * minute } },
});

const ours = (
	delaySeconds: number,
	more: { quantile?: number; source?: 'log'; doubts?: false } = {},
): Setting => {
	const { quantile, source = 'hook', doubts = true } = more;
	const spare = quantile ? `spare .${Math.round(quantile * 100)}` : 'no spare';
	return {
		name: `ours, ${spare}, delay ${delaySeconds} s${source === 'log' ? ', no hooks' : ''}${doubts ? '' : ', no runner doubted'}`,
		policy: {
			kind: 'ours',
			settings: { delayMs: delaySeconds * 1_000, checkAfterMs: 10 * minute, quantile, source, doubts },
		},
	};
};

/** As documented: a trigger's duration of 30m, and the delay's default. */
const usualArc = arc('30m', 30 * minute, 10);
/** What we do where nothing but minimum, maximum and the trigger is given. */
export const ourDefault = ours(600);

const arcs: Setting[] = [1, 5, 10, 15].flatMap((delay) => [
	arc('10m', 10 * minute, delay),
	arc('30m', 30 * minute, delay),
	arc('6h', 360 * minute, delay),
]);
const spares: Setting[] = [0.5, 0.8, 0.9, 0.95].map((quantile) => ours(600, { quantile }));
const noHooks = ours(600, { source: 'log' });
const all: Setting[] = [...bounds, ...arcs, ourDefault, ours(300), ours(60), noHooks, ...spares];
const swept: Setting[] = [...bounds, ...arcs, ourDefault, ours(60), ...spares.slice(0, 2)];
/** Where nothing is lost, ARC's best settings lie between those. */
const between: Setting[] = [ours(10), ours(600, { quantile: 0.6 }), ours(600, { quantile: 0.63 })];
const few: Setting[] = [...bounds, usualArc, ourDefault];
/** Beside those, so that the same days show what runners that hang cost. */
const withSick: Setting[] = [
	...few,
	ours(600, { doubts: false }),
	{ ...ourDefault, name: `if none hung: ${ourDefault.name}`, sick: 0 },
];

export interface Scenario {
	name: string;
	constants: Constants;
	settings: readonly Setting[];
}

const withLost = (lost: number): Constants => ({ ...usualDay, events: { ...usualDay.events, lost } });
const perfect: Constants = {
	...usualDay,
	events: { ...usualDay.events, lost: 0, doubled: 0, reordered: 0 },
};
const nodesFirst: Constants = { ...usualDay, startUp: newNodes };

/** The first four are in the chart. */
export const scenarios: readonly Scenario[] = [
	{ name: 'start-up 20 s, max 200', constants: usualDay, settings: all },
	{ name: 'start-up 2 min, max 200', constants: nodesFirst, settings: swept },
	{ name: 'start-up 20 s, max 50', constants: { ...usualDay, max: 50 }, settings: swept },
	{ name: 'start-up 2 min, max 50', constants: { ...nodesFirst, max: 50 }, settings: swept },
	{
		name: 'start-up 20 s, max 200, no event lost, doubled or late',
		constants: perfect,
		settings: [...swept, ...between, ...spares.slice(2, 3)],
	},
	{ name: 'start-up 20 s, max 200, no event lost', constants: withLost(0), settings: few },
	{ name: 'start-up 20 s, max 200, 10 % lost', constants: withLost(0.1), settings: few },
	{
		name: 'start-up 20 s, max 200, 2 % of the runners hang',
		constants: { ...usualDay, sick: 0.02 },
		settings: withSick,
	},
	{
		name: 'start-up 20 s, max 50, 2 % of the runners hang',
		constants: { ...usualDay, max: 50, sick: 0.02 },
		settings: withSick,
	},
	{
		name: 'start-up 20 s, max 200, no webhook at all',
		constants: { ...usualDay, webhook: false },
		settings: [...bounds, ourDefault],
	},
];
