import { humanSpan } from '../../../admission/api/duration.ts';
import { jobText } from '../../../admission/runner/job-signals.ts';
import type { SourceName, SourceState } from '../../runners/signal-sources.ts';

const names: Record<SourceName, string> = {
	log: "runner's log",
	hook: 'job hook',
	event: "GitHub's event",
	list: "GitHub's list",
	delete: "GitHub's DELETE",
	'ephemeral-runner': 'EphemeralRunner',
};

const verbs: Record<SourceState['state'], string> = {
	working: 'works',
	finishing: 'finishes its job',
	over: 'its job is over',
	idle: 'idle',
	removed: 'removed',
	absent: 'not in it',
	unknown: 'not known',
	nothing: 'nothing heard',
};

/** One line: `GitHub's event    works since 2026-11-23T12:00:00Z (12m): build (octo-org/app, run 42)`. */
export function sourceText({ by, state, since, job, detail }: SourceState, nowMs: number): string {
	const ago = since === undefined ? '' : humanSpan(Math.max(0, nowMs - Date.parse(since)));
	const time = since === undefined ? '' : ` since ${since.slice(0, 19)}Z (${ago})`;
	const named = job?.name === undefined ? '' : `: ${jobText({ ...job, name: job.name })}`;
	const said = state === 'nothing' && detail !== undefined ? detail : `${verbs[state]}${time}${named}`;
	const besides =
		detail === undefined || state === 'nothing' ? '' : state === 'unknown' ? `: ${detail}` : ` (${detail})`;
	return `${names[by].padEnd(17)}${said}${besides}`;
}
