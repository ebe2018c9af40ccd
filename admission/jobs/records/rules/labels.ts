import { longestLabel, mostRunnerLabels } from '../../../api/limits.ts';

/** What is known of this cluster's sets: their labels, and where their runners register. */
export interface KnownLabels {
	/** Labels of a set, folded as `fold` does; those that one had lately as well. */
	labels: { has(label: string): boolean };
	/** There is a set. */
	any: boolean;
	/** Where the runners of sets register, as `scopeIn` writes it. */
	scopes: ReadonlySet<string>;
	/** Whether one of the sets may run a job, by its scope and labels. */
	fits(job: JobPlace & { labels: readonly string[] }): boolean;
}

/** A set by what decides which jobs may be its own. */
export interface ScopedLabels {
	/** As `scopeIn` writes it. */
	scope: string;
	labels: readonly string[];
}

/** @returns `fits` of KnownLabels, for these sets */
export function fitting(sets: readonly ScopedLabels[]): KnownLabels['fits'] {
	const byScope = Map.groupBy(sets, ({ scope }) => scope);
	const ofEnterprises = sets.filter(({ scope }) => scope.startsWith(enterprisePrefix));
	return ({ repository, enterprise, labels }) => {
		const [owner = ''] = repository.split('/');
		const near = [repository, owner].flatMap((name) => byScope.get(fold(name)) ?? []);
		const named =
			enterprise === undefined ? ofEnterprises : byScope.get(`${enterprisePrefix}${fold(enterprise)}`);
		const wanted = labels.map(fold).filter((label) => !given.has(label));
		return [...near, ...(named ?? [])].some((set) => wanted.every((label) => set.labels.includes(label)));
	};
}

/** The job's repository, and its enterprise where it is known. */
interface JobPlace {
	/** OWNER/NAME. */
	repository: string;
	enterprise?: string | undefined;
}

/** GitHub compares labels without regard to case. */
export const fold = (label: string): string => label.trim().toLowerCase();

/**
 * The labels that a set's spec names, folded, each once; a label with a comma is two, because the runner is given them in one
 * list. Of a set with more than a runner may have only the first count, and its status says so (sets/pod/field-types.ts).
 */
export function labelsIn(value: unknown): string[] {
	const entries: unknown[] = Array.isArray(value) ? value.slice(0, mostRunnerLabels) : [];
	const found = new Set<string>();
	for (const entry of entries) {
		if (typeof entry !== 'string') continue;
		for (const label of entry.split(',', mostRunnerLabels)) {
			if (found.size === mostRunnerLabels) return [...found];
			if (label.length <= longestLabel && label.trim() !== '') found.add(fold(label));
		}
	}
	return [...found];
}

/** Where runners register whose spec this is, folded: `octo-org`, `octo-org/app`, `enterprises/octo`; empty: it does not say. */
export function scopeIn({ repository, organization, enterprise }: Record<string, unknown>): string {
	const named = (value: unknown) =>
		typeof value === 'string' && value !== '' && value.length <= longestScope ? fold(value) : undefined;
	const inEnterprise = named(enterprise);
	return (
		named(organization) ??
		(inEnterprise === undefined ? undefined : `${enterprisePrefix}${inEnterprise}`) ??
		named(repository) ??
		''
	);
}

/** Names of owners and repositories have at most 100 characters each. */
const longestScope = 201;

const enterprisePrefix = 'enterprises/';

/** Whether runners register there that may be given jobs of this repository. An enterprise that is not known may be any. */
function covers(scopes: ReadonlySet<string>, { repository, enterprise }: JobPlace): boolean {
	const [owner = ''] = repository.split('/');
	if (scopes.has(fold(repository)) || scopes.has(fold(owner))) return true;
	if (enterprise !== undefined) return scopes.has(`${enterprisePrefix}${fold(enterprise)}`);
	for (const scope of scopes) if (scope.startsWith(enterprisePrefix)) return true;
	return false;
}

/** GitHub gives runners these by itself: those of Linux pods. */
const implicit = new Set(['linux', 'x64', 'arm64', 'arm']);
/** And these some. */
const given = new Set([...implicit, 'self-hosted', 'windows']);

/** Names of GitHub's own runners. Those of larger runners are people's choice. */
const hosted = /^(?:ubuntu|windows|macos)-/;

/**
 * Whether a job is recorded: one of our sets could run it, or people should see that none can. All other jobs are those of
 * GitHub's own runners, or of runners elsewhere. It is a check without any call: a record too many costs little, and a job
 * that is not recorded costs its user a wait.
 *
 * A job without labels asks for a runner group (`runs-on: {group: NAME}`), which no event names: it concerns us if a set has
 * runners for its repository, as in ARC.
 *
 * @param jobLabels undefined: there are more than are read, and people should see that no set can have them
 * @param known undefined: the sets are not known yet
 */
export function concernsUs(
	jobLabels: readonly string[] | undefined,
	known: KnownLabels | undefined,
	place: JobPlace,
): boolean {
	if (!jobLabels) return true;
	const labels = jobLabels.map(fold);
	if (labels.includes('self-hosted')) return true;
	if (!known) return labels.length === 0 || labels.some((label) => !hosted.test(label));
	if (labels.length === 0) return covers(known.scopes, place);
	return labels.some((label) => known.labels.has(label) || (known.any && implicit.has(label)));
}
