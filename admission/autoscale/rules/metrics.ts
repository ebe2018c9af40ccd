import type { MetricType } from '../../api/autoscale.ts';
import { mostRepositories, tooMany } from '../../api/limits.ts';
import { sameName } from '../../runner/github-name.ts';
import { type Scope, scopeFromPath } from '../../runner/scope.ts';
import { decimalOf, fieldsOf, invalid, isAbsent, isCount, isObject, wholeNumber } from './fields.ts';
import { mostSuggested } from './policy.ts';

/** A job of a run that GitHub has listed. */
export interface ListedJob {
	/** undefined: too many to tell which runner may have it. */
	labels: readonly string[] | undefined;
	status: string;
}

/** What the metrics are computed from. */
export interface MetricFacts {
	scope: Scope | undefined;
	/** spec.replicas of the target. */
	replicas: number | undefined;
	/** Runners of the set that have a job, also those that are to go after it. */
	busy: number;
	/** Labels of the set's runners, with those that GitHub gives, folded. */
	labels: ReadonlySet<string>;
	/**
	 * The open jobs of a repository (OWNER/NAME, folded) as they were listed last; undefined: they never were. `problem`: why
	 * they could not be listed now.
	 */
	listed(repository: string): { jobs: readonly ListedJob[] | undefined; problem?: string | undefined };
}

export interface Suggestion {
	/** How many runners the metrics want; undefined: they say nothing. */
	replicas: number | undefined;
	/** What is wrong, for people. */
	problems: string[];
}

const jobsType = 'TotalNumberOfQueuedAndInProgressWorkflowRuns';
const busyType = 'PercentageRunnersBusy';

/** How each metric is computed. */
const metricRules: Readonly<Record<MetricType, MetricRule>> = {
	[jobsType]: byJobs,
	[busyType]: byBusy,
};
const metricTypes = Object.keys(metricRules) as MetricType[];

/** @param field where the metric is in the spec, for messages */
type MetricRule = (metric: Record<string, unknown>, field: string, facts: MetricFacts) => Suggestion;

/**
 * How many runners spec.metrics asks for, as ARC counts it (autoscaling.go). Pure: metrics may be anything, and one that
 * can't be used says nothing. It is asked once a minute at most, as ARC does: PercentageRunnersBusy starts from what it
 * has led to the last time, and runners take a while to become busy.
 */
export function suggestionOf(metrics: unknown, facts: MetricFacts): Suggestion {
	if (isAbsent(metrics)) return { replicas: undefined, problems: [] };
	if (!Array.isArray(metrics)) return { replicas: undefined, problems: ['spec.metrics must be a list'] };
	if (metrics.length > 2)
		return {
			replicas: undefined,
			problems: [`spec.metrics has ${metrics.length} entries: at most 2 are supported`],
		};
	const [first, second] = metrics;
	if (first === undefined) return { replicas: undefined, problems: [] };
	const primary = oneOf(first, 'spec.metrics[0]', facts);
	if (primary.replicas === undefined || primary.replicas > 0 || second === undefined)
		return { ...primary, replicas: (primary.replicas ?? 0) > 0 ? primary.replicas : undefined };
	if (fieldsOf(first).type !== busyType || fieldsOf(second).type !== jobsType) {
		const problem = `spec.metrics: of two entries the first must be ${busyType} and the second ${jobsType}`;
		return { replicas: undefined, problems: [...primary.problems, problem] };
	}
	const fallback = oneOf(second, 'spec.metrics[1]', facts);
	return { ...fallback, problems: [...primary.problems, ...fallback.problems] };
}

/** The repositories whose runs have to be listed for spec.metrics, as OWNER/NAME. */
export function repositoriesOf(metrics: unknown, scope: Scope | undefined): string[] {
	const asked = Array.isArray(metrics) ? metrics.slice(0, 2) : [];
	const found = asked
		.filter((metric) => fieldsOf(metric).type === jobsType)
		.flatMap((metric) => namesOf(metric, '', scope).repositories);
	return [...new Set(found)];
}

function oneOf(metric: unknown, field: string, facts: MetricFacts): Suggestion {
	if (!isObject(metric)) return { replicas: undefined, problems: [`${field} must be an object`] };
	const { type } = metric;
	const known = metricTypes.find((one) => one === type);
	if (known) return metricRules[known](metric, field, facts);
	return { replicas: undefined, problems: [invalid(`${field}.type`, type, metricTypes.join(' or '))] };
}

/** One runner for each job that is queued or runs, in the repositories that are named. */
function byJobs(metric: object, field: string, facts: MetricFacts): Suggestion {
	const { repositories, foreign = [], problem } = namesOf(metric, field, facts.scope);
	if (problem !== undefined) return { replicas: undefined, problems: [problem] };
	const problems = [...foreign];
	let replicas: number | undefined = 0;
	for (const repository of repositories) {
		const listed = facts.listed(repository.toLowerCase());
		if (listed.problem !== undefined) problems.push(`${field}: ${repository}: ${listed.problem}`);
		if (!listed.jobs) replicas = undefined;
		else if (replicas !== undefined)
			replicas += listed.jobs.filter((job) => counts(job, facts.labels)).length;
	}
	return { replicas, problems };
}

const fold = (text: string): string => text.trim().toLowerCase();

const counts = ({ labels, status }: ListedJob, known: ReadonlySet<string>): boolean =>
	(status === 'queued' || status === 'in_progress') &&
	labels !== undefined &&
	labels.length > 0 &&
	labels.every((label) => known.has(fold(label)));

/**
 * Of runners of a repository it is that one; of others those that the metric names. `foreign`: what is wrong with those of other
 * owners, whose jobs are not for the target's runners, nor to be shown by it.
 */
function namesOf(
	metric: unknown,
	field: string,
	scope: Scope | undefined,
): { repositories: string[]; foreign?: string[]; problem?: string } {
	if (!scope) return { repositories: [], problem: `${field}: the target has no repository or organization` };
	if (scope.kind === 'repository') return { repositories: [`${scope.owner}/${scope.name}`] };
	const { repositoryNames } = fieldsOf(metric);
	const names: unknown[] = Array.isArray(repositoryNames) ? repositoryNames : [];
	if (names.length === 0)
		return {
			repositories: [],
			problem: `${field}.repositoryNames is required for runners of an ${scope.kind}`,
		};
	if (names.length > mostRepositories)
		return {
			repositories: [],
			problem: tooMany(`${field}.repositoryNames`, names.length, mostRepositories),
		};
	const repositories: string[] = [];
	const foreign: string[] = [];
	for (const [index, name] of names.entries()) {
		const isName = typeof name === 'string' && !name.includes('/') && scope.kind === 'organization';
		const path = isName ? `${scope.name}/${name}` : String(name);
		if (scopeFromPath(path)?.kind !== 'repository') {
			const expected = scope.kind === 'organization' ? 'NAME or OWNER/NAME' : 'OWNER/NAME';
			const problem = invalid(`${field}.repositoryNames[${index}]`, name, expected);
			return { repositories: [], problem };
		}
		if (scope.kind === 'organization' && !sameName(scope.name, path.split('/')[0])) {
			foreign.push(
				`${field}.repositoryNames[${index}]: ${path} is not of ${scope.name}, where the target's runners register, and is not counted: remove it, or name it in the autoscaler of a set of that owner`,
			);
			continue;
		}
		repositories.push(path);
	}
	return { repositories, foreign };
}

/** More runners where many of them are busy, fewer where few are. */
function byBusy(metric: Record<string, unknown>, field: string, { replicas, busy }: MetricFacts): Suggestion {
	const up = stepOf(metric, field, 'Up', { threshold: 0.8, factor: 1.3 });
	const down = stepOf(metric, field, 'Down', { threshold: 0.3, factor: 0.7 });
	const problems = [up, down].filter((step) => typeof step === 'string');
	if (typeof up === 'string' || typeof down === 'string') return { replicas: undefined, problems };
	const before = replicas ?? 1;
	// Where 0 are wanted and some work all the same, those count: no factor makes more of 0 (ARC #2850).
	const from = before === 0 ? busy : before;
	const result = stepped(from, busy / Math.max(1, from), up, down) ?? before;
	return { replicas: Math.min(result, mostSuggested), problems: [] };
}

/** The number after a step; undefined: there is none. As in Go, what is cut off is cut off towards 0. */
function stepped(from: number, fraction: number, up: Step, down: Step): number | undefined {
	if (fraction >= up.threshold) return up.adjustment > 0 ? from + up.adjustment : Math.ceil(from * up.factor);
	if (fraction >= down.threshold) return undefined;
	return down.adjustment > 0 ? from - down.adjustment : Math.trunc(from * down.factor);
}

interface Step {
	threshold: number;
	factor: number;
	/** 0: the factor counts. */
	adjustment: number;
}

const decimalNumber = 'a decimal number such as "0.75"';

/** How the metric steps in one direction; a text: what is wrong with it. */
function stepOf(
	metric: Record<string, unknown>,
	field: string,
	direction: 'Up' | 'Down',
	defaults: Omit<Step, 'adjustment'>,
): Step | string {
	const number = (name: string, otherwise: number) => {
		const value = metric[name];
		return isAbsent(value) || value === '' ? otherwise : decimalOf(value);
	};
	const names = {
		threshold: `scale${direction}Threshold`,
		factor: `scale${direction}Factor`,
		adjustment: `scale${direction}Adjustment`,
	};
	const threshold = number(names.threshold, defaults.threshold);
	if (threshold === undefined)
		return invalid(`${field}.${names.threshold}`, metric[names.threshold], decimalNumber);
	const adjustment = metric[names.adjustment] ?? 0;
	if (!isCount(adjustment)) return invalid(`${field}.${names.adjustment}`, adjustment, wholeNumber);
	const given = metric[names.factor];
	if (adjustment > 0 && !isAbsent(given) && given !== '')
		return `${field}: only one of ${names.adjustment} and ${names.factor} may be set`;
	const factor = number(names.factor, defaults.factor);
	if (factor === undefined) return invalid(`${field}.${names.factor}`, given, decimalNumber);
	return { threshold, factor, adjustment };
}
