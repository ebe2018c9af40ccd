import { newNodes, type StartUp, usualDay } from './constants.ts';
import { goalsOf } from './goals.ts';
import { markdownTable, tableRows } from './report.ts';
import type { Summary } from './rows.ts';
import { ourDefault, type Scenario, scenarios } from './settings.ts';

/**
 * docs/autoscale-simulation.md
 *
 * @param before what it was: the scenarios that were not run stay as they are there
 */
export function pageOf(
	results: readonly { scenario: Scenario; summaries: Summary[] }[],
	days: number,
	before: string,
): string {
	const sections = new Map(
		before
			.trimEnd()
			.split(/\n\n(?=## )/)
			.slice(1)
			.map((section) => [section.split('\n', 1)[0] ?? '', section]),
	);
	for (const { scenario, summaries } of results) {
		const heading = headingOf(scenario);
		const goals = goalsOf(summaries, ourDefault.name)
			.map(({ what, reached, passed }) => `- ${passed ? 'Reached' : '**Missed**'}: ${what}: ${reached}.`)
			.join('\n');
		sections.set(
			heading,
			[heading, `${days} days.`, markdownTable(tableRows(summaries)), goals].join('\n\n'),
		);
	}
	const parts = scenarios.flatMap((scenario) => sections.get(headingOf(scenario)) ?? []);
	return `${[introduction(), ...parts].join('\n\n')}\n`;
}

const headingOf = ({ name }: Scenario) => `## ${capital(name)}`;

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

const start = ({ fixedMs, meanMs, slowPart, slowMs }: StartUp) =>
	`${fixedMs / 1_000} s and exponentially distributed ${meanMs / 1_000} s more, with another ${slowMs / 1_000} s in ${slowPart * 100} %`;

function introduction(): string {
	const { runs, dayToNight, fanOut, duration, cancelled, events, repositories } = usualDay;
	const percent = (part: number) => `${Number((part * 100).toFixed(2))} %`;
	return `# A simulated day of the autoscaler

Written by \`WRITE=1 make bench BENCH=autoscale\`; not edited by hand. The rules are the server's own code, records of jobs, demand and
plan, in simulated time. Each line is the mean of the days that its section names (where it names none, 10 days with the rules of
November 2026) and, in brackets, the least and the most of them.

![Wait against idle runners](autoscale-simulation.svg)

- **Jobs**: ${runs.toLocaleString('en-US')} runs a day of ${repositories} repositories by a Poisson process, ${dayToNight} times as many at the busiest time as at the quietest;
  one job in ${percent(fanOut.alonePart)} of the runs, else exponentially distributed ${fanOut.mean} more (at most ${fanOut.most}); durations lognormal with a median of ${duration.medianMs / 60_000} min
  and σ = ${duration.sigma}, and ${percent(duration.longPart)} of 1 to 5 h; ${percent(cancelled.part)} are cancelled, on average ${cancelled.meanMs / 60_000} min after their arrival. Arrivals, fan-out and
  cancellations are assumed; durations are fitted to published figures (median 3.3 min, 80 % below 10 min).
- **Events**: ${percent(events.lost)} are lost unless the heading says another number, of which GitHub's list of failed deliveries does not show ${percent(events.silent)};
  ${percent(events.doubled)} come twice; ${percent(events.reordered)} come exponentially distributed ${events.reorderedMs / 1_000} s later. The others take ${events.latencyFromMs / 1_000} to ${events.latencyToMs / 1_000} s.
- **Pods** start within ${start(usualDay.startUp)} ("20 s"), or ${start(newNodes)} ("2 min"). The nth pod takes as long whoever creates it. GitHub gives the
  oldest job to any idle runner; each runner has one job.
- **floor** creates a pod in the instant in which a job arrives, knows all that has happened and keeps no idle one. **oracle** has a
  started pod for each job when it arrives; where the maximum is too low, the oldest job goes first.
- **ARC** is a model from its source, with its own vectors as unit tests: 3 s batches, 60 s resync, effectiveTime, first in first out. It
  loses nothing but events: its server is never down, and its reconciles take no time.
- **Ours** has minReplicas 0, a webhook, and runners with job hooks, which tell the run and not which of its jobs ("no hooks": their log
  tells the name of a job only). From an event to the accepted create it takes ${usualDay.reactMs / 1_000} s.
- **Wait** counts jobs that got a runner. **Beyond start** is the part of it during which no runner was on its way for the job: as many
  older jobs waited as runners started or were idle. Jobs that the floor lets wait for its maximum are left out there.
- **Runners that hang**, where the heading says so: GitHub lists them as idle and gives them no job. The floor knows them once they have
  registered. "no runner doubted" is ours with every idle runner counted, as before December 2026. Compare with the same maximum above.
- **Needless** pods never had a job, and do not hang. **Calls** are those to GitHub that autoscaling adds and that count for its limit: failed
  deliveries once a minute and each lost one, jobs by their id, lists of runs that have changed. ARC makes none and never notices a loss.
- What **beyond start** is made of: late and lost \`queued\` events. Where only \`in_progress\` and \`completed\` are lost and late, its p95 is
  what it is without any fault.
- **Against a cluster**: \`make bench BENCH=autoscale-hour\` plays a busy hour, compressed to 5 min, on a control plane with simulated
  runners. There and simulated, of 245 jobs (\`SEED=4\`): wait p50 3.3 and 3.3 s, p95 7.1 and 7.1 s; 241 pods, 1 of them needless, both times.`;
}
