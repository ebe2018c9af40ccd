import { humanSpan } from '../../../../admission/api/duration.ts';
import { printable } from '../../../../admission/api/printable.ts';
import type { EventsReport, HookReport } from '../../../../admission/api/report.ts';
import { autoscalerStateOf, failures, isTrue } from '../../../autoscalers/state.ts';
import { type Check, type Facts, notMade } from '../facts.ts';
import { count } from '../finding.ts';

const setUp = 'see docs/autoscaling.md on how to set up the webhook';

/** Older refusals are not reported. */
const recentMs = 60 * 60_000;

/** Whether events of GitHub's webhook arrive, and which ones are refused. */
export const events: Check = (facts) => {
	const check = 'events';
	const { eventsReports: fetched, nowMs } = facts;
	if (fetched.kind !== 'found') return undefined; // the check "report" says so
	const reports = fetched.value;
	if (reports.length === 0) return undefined; // an older server, which does not report them
	const needed = countsJobs(facts);
	const receiving = reports.filter((report) => report.receiving).length;
	if (receiving === 0) {
		const message = 'not received: no webhook secret is configured, or the port is disabled';
		if (!needed) return { check, level: 'ok', message };
		const slower = `${message}; autoscalers learn of jobs by asking GitHub, which is slower`;
		return { check, level: 'warning', message: slower, advice: [setUp] };
	}
	const hooks = newest(reports.flatMap((report) => report.hooks));
	const [last] = hooks;
	const details = hooks.flatMap((hook) => hookLines(hook, nowMs));
	const failure = hooks.flatMap(hookFailures);
	const refusal = lastRefusal(reports, nowMs);
	if (refusal) failure.push(refusal);
	const some = receiving < reports.length ? ` by ${receiving} of ${reports.length} replicas` : '';
	if (!last) {
		const since = reports.map((report) => report.since).sort()[0] ?? '';
		return {
			check,
			level: needed ? 'warning' : 'ok',
			message: `none received${some} since ${since.slice(0, 16).replace('T', ' ')} UTC`,
			details: failure,
			advice: [`check that GitHub's webhook is delivered to the Service runners-admission-events; ${setUp}`],
		};
	}
	const message = `received${some}: the last one ${span(last.lastDeliveryAt, nowMs)} ago, from ${printable(last.hook)}`;
	if (failure.length === 0) return { check, level: 'ok', message, details };
	return {
		check,
		level: 'warning',
		message,
		details: [...details, ...failure],
		advice: ['see docs/runbook.md#runnerseventsrefused for what each of these means'],
	};
};

/** Whether any autoscaler counts jobs; true also if that is not known. */
function countsJobs({ autoscalers }: Facts): boolean {
	if (autoscalers.kind === 'not-found') return false;
	if (autoscalers.kind !== 'found') return true;
	return autoscalers.value.some(({ spec }) =>
		spec.scaleUpTriggers?.some(({ githubEvent }) => githubEvent?.workflowJob !== undefined),
	);
}

/** Each webhook once, as reported by the replica that received its last delivery. */
function newest(hooks: readonly HookReport[]): HookReport[] {
	const latest = new Map<string, HookReport>();
	for (const hook of [...hooks].sort((left, right) =>
		left.lastDeliveryAt < right.lastDeliveryAt ? -1 : 1,
	)) {
		const settings = hook.settings ?? latest.get(hook.hook)?.settings;
		latest.set(hook.hook, { ...hook, ...(settings ? { settings } : {}) });
	}
	return [...latest.values()].sort((left, right) => (left.lastDeliveryAt > right.lastDeliveryAt ? -1 : 1));
}

function hookLines({ hook, lastDeliveryAt, settings, hidden }: HookReport, nowMs: number): string[] {
	const configured = settings
		? `, at GitHub: ${settings.active ? 'active' : 'not active'}, ${settings.events.join(', ') || 'no events'}${settings.host ? ` to ${settings.host}` : ''}`
		: '';
	const lost = hidden ? '; failed deliveries cannot be fetched (the credential lacks "Webhooks: read")' : '';
	return [printable(`${hook}: last ${span(lastDeliveryAt, nowMs)} ago${configured}${lost}`)];
}

/** Settings at GitHub that prevent events, or that are insecure. */
function hookFailures({ hook, failed = 0, settings }: HookReport): string[] {
	const wrong: string[] = [];
	if (failed > 0)
		wrong.push(`${count(failed, 'delivery', 'deliveries')} of the last hour failed, as GitHub reports`);
	if (settings) {
		if (!settings.active) wrong.push('it is not active');
		if (!settings.events.includes('workflow_job') && !settings.events.includes('*')) {
			wrong.push('it lacks the event "Workflow jobs"');
		}
		if (settings.contentType !== undefined && settings.contentType !== 'json') {
			wrong.push(`its content type is ${settings.contentType}, but must be application/json`);
		}
		if (settings.insecureSsl) wrong.push('GitHub does not verify the certificate (SSL verification is off)');
	}
	return wrong.map((what) => printable(`${hook}: ${what}`));
}

function lastRefusal(reports: readonly EventsReport[], nowMs: number): string | undefined {
	const [last] = reports
		.flatMap((report) => report.lastRefusal ?? [])
		.sort((left, right) => (left.at > right.at ? -1 : 1));
	if (!last || nowMs - Date.parse(last.at) > recentMs) return undefined;
	const total = reports.reduce((sum, { results }) => sum + (results[last.result] ?? 0), 0);
	return printable(
		`${count(total, 'delivery', 'deliveries')} refused (${last.result}), the last one ${span(last.at, nowMs)} ago`,
	);
}

/** HorizontalRunnerAutoscalers that do not act, or not as their spec says. */
export const autoscalers: Check = ({ autoscalers: fetched }) => {
	const check = 'autoscalers';
	if (fetched.kind === 'not-found') return undefined; // the check "kinds" says so
	if (fetched.kind !== 'found') return notMade(check, fetched);
	const all = fetched.value;
	if (all.length === 0) return undefined;
	const lines = all.flatMap((autoscaler) => {
		const { namespace, name } = autoscaler.metadata;
		const wrong = (autoscaler.status?.conditions ?? []).filter(
			({ type }) => failures.includes(type) && isTrue(autoscaler, type),
		);
		const failing = wrong.map(
			({ type, message }) => `${namespace}/${name}: ${type}${message ? `: ${message}` : ''}`,
		);
		const unseen = autoscalerStateOf(autoscaler) === 'unseen';
		return (
			unseen ? [...failing, `${namespace}/${name}: the server has not reconciled it yet`] : failing
		).map(printable);
	});
	const message = count(all.length, 'HorizontalRunnerAutoscaler');
	if (lines.length === 0) return { check, level: 'ok', message: `${message}, no problem found` };
	return {
		check,
		level: 'warning',
		message: `${message}, not all of which act as specified`,
		details: lines,
		advice: ['kubectl runners status shows each below its set; see docs/autoscaling.md#conditions'],
	};
};

const span = (at: string, nowMs: number): string => humanSpan(Math.max(0, nowMs - Date.parse(at)));
