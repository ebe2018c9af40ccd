import type { Summary } from './rows.ts';

export interface Goal {
	what: string;
	reached: string;
	passed: boolean;
}

const most = { beyondP95: 5, needlessPart: 0.01 };
const seconds = (value: number) => `${value.toFixed(1)} s`;

/** What our default is to reach, and that each setting of ARC's is matched by one of ours. p95 is the mean of the days'. */
export function goalsOf(summaries: readonly Summary[], ourDefault: string): Goal[] {
	const own = summaries.find(({ setting }) => setting === ourDefault);
	if (!own) throw new Error(`no setting ${ourDefault}`);
	const needlessPart = own.needless.most / own.jobs.least;
	return [
		{
			what: 'every job is served',
			reached: `${own.neverServed.most} never served`,
			passed: own.neverServed.most === 0,
		},
		{
			what: `p95 of the wait at most ${most.beyondP95} s over the floor's, where that is below the maximum`,
			reached: `${seconds(own.overFloorP95.mean)}, worst day ${seconds(own.overFloorP95.most)}`,
			passed: own.overFloorP95.mean <= most.beyondP95,
		},
		{
			what: `p95 of the wait without a runner on its way at most ${most.beyondP95} s, there`,
			reached: `${seconds(own.beyondP95.mean)}, worst day ${seconds(own.beyondP95.most)}`,
			passed: own.beyondP95.mean <= most.beyondP95,
		},
		{
			what: `needless pods at most ${most.needlessPart * 100} % of jobs`,
			reached: `${own.needless.mean.toFixed(1)} of ${own.jobs.mean.toFixed(0)} jobs, worst day ${(needlessPart * 100).toFixed(2)} %`,
			passed: needlessPart <= most.needlessPart,
		},
		...summaries.filter(({ setting }) => setting.startsWith('ARC')).map((arc) => matched(arc, summaries)),
	];
}

/** Whether one of our settings is no worse in p95 wait and idle hours both, on the mean of the days. */
function matched(arc: Summary, summaries: readonly Summary[]): Goal {
	const better = summaries
		.filter(({ setting }) => setting.startsWith('ours'))
		.filter(({ p95, idleHours }) => p95.mean <= arc.p95.mean && idleHours.mean <= arc.idleHours.mean)
		.toSorted((one, other) => one.p95.mean - other.p95.mean)[0];
	const said = ({ p95, idleHours }: Summary) => `${seconds(p95.mean)} and ${idleHours.mean.toFixed(1)} h`;
	return {
		what: `${arc.setting} (${said(arc)}) is matched by one of ours`,
		reached: better ? `${better.setting}: ${said(better)}` : 'none',
		passed: better !== undefined,
	};
}
