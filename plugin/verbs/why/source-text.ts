import { humanSpan } from '../../../admission/api/duration.ts';
import { jobText } from '../../../admission/runner/job-signals.ts';
import { signalSources } from '../../../admission/runner/signal-sources.ts';
import type { SourceName, SourceState } from '../../runners/source-states.ts';

const rows: Record<SourceName, { name: string }> = {
	...signalSources,
	list: { name: "GitHub's list" },
	delete: { name: "GitHub's DELETE" },
	'ephemeral-runner': { name: 'EphemeralRunner' },
};
const width = Math.max(...Object.values(rows).map(({ name }) => name.length)) + 2;

const verbs: Record<SourceState['state'], string> = {
	working: 'working',
	finishing: 'finishing its job',
	over: 'job over',
	idle: 'idle',
	removed: 'removed',
	absent: 'not listed',
	unknown: 'not known',
	nothing: 'nothing reported',
};

/** One line: `GitHub's event    working since 2026-11-23T12:00:00Z (12m): build (octo-org/app, run 42)`. */
export function sourceText({ by, state, since, job, detail }: SourceState, nowMs: number): string {
	const ago = since === undefined ? '' : humanSpan(Math.max(0, nowMs - Date.parse(since)));
	const time = since === undefined ? '' : ` since ${since.slice(0, 19)}Z (${ago})`;
	const named = job?.name === undefined ? '' : `: ${jobText({ ...job, name: job.name })}`;
	const main = state === 'nothing' && detail !== undefined ? detail : `${verbs[state]}${time}${named}`;
	const besides =
		detail === undefined || state === 'nothing' ? '' : state === 'unknown' ? `: ${detail}` : ` (${detail})`;
	return `${rows[by].name.padEnd(width)}${main}${besides}`;
}
