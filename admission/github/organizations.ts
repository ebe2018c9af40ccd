import { scopeFromPath } from '../runner/scope.ts';
import { perPage } from './client.ts';
import { fieldsOf, isId, readAll, repositoryParameters, textOf, unusable } from './fields.ts';
import { mostGroupPages, mostRepositoryPages } from './policy.ts';
import type { CallOptions, Read, Unread } from './types.ts';

type Limits = Pick<CallOptions, 'signal'>;

export interface VisibleGroup {
	id: number;
	name: string;
	isDefault: boolean;
	/** It is the enterprise's. */
	inherited: boolean;
}

/**
 * The runner groups of an organization whose runners a repository of it may use, those of its enterprise among them.
 *
 * @param etag of a list of one page that is known
 */
export async function visibleGroups(
	read: Read,
	repository: string,
	{ etag, ...limits }: Limits & { etag?: string | undefined } = {},
): Promise<{ kind: 'groups'; groups: VisibleGroup[]; etag: string | undefined } | Unread> {
	const names = repositoryParameters(repository);
	if (!names) return { kind: 'not-visible' };
	const what = `list runner groups of ${names.owner} for ${repository}`;
	const route = 'GET /orgs/{org}/actions/runner-groups';
	const found = new Map<number, VisibleGroup>();
	for (let page = 1; page <= mostGroupPages; page++) {
		const parameters = { org: names.owner, visible_to_repository: names.repo, per_page: perPage, page };
		const known = page === 1 ? etag : undefined;
		const request = { route, parameters, endpoint: 'list-runner-groups', etag: known } as const;
		const answer = await read(what, request, limits);
		if (answer.kind !== 'read') return answer;
		const { total_count: total, runner_groups } = fieldsOf(answer.body);
		const groups = readAll(runner_groups, readGroup);
		if (!groups || typeof total !== 'number') return unusable(what);
		for (const group of groups) found.set(group.id, group);
		// What is on later pages has no tag of its own here: such a list is read whole each time.
		if (found.size >= total)
			return { kind: 'groups', groups: [...found.values()], etag: page === 1 ? answer.etag : undefined };
		if (groups.length === 0) return unusable(what);
	}
	return unusable(what);
}

/**
 * The repositories of an organization that were pushed to since then, the latest first, as OWNER/NAME; those of the last
 * pages that are read at most. A repository whose jobs begin by themselves need not have been pushed to.
 */
export async function repositoriesOf(
	read: Read,
	organization: string,
	sinceMs: number,
	limits: Limits = {},
): Promise<{ kind: 'repositories'; names: string[] } | Unread> {
	if (scopeFromPath(organization)?.kind !== 'organization') return { kind: 'not-visible' };
	const what = `list repositories of ${organization}`;
	const route = 'GET /orgs/{org}/repos';
	const names: string[] = [];
	for (let page = 1; page <= mostRepositoryPages; page++) {
		const parameters = { org: organization, sort: 'pushed', direction: 'desc', per_page: perPage, page };
		const answer = await read(what, { route, parameters, endpoint: 'list-repositories' }, limits);
		if (answer.kind !== 'read') return answer;
		const repositories = readAll(answer.body, readRepository);
		if (!repositories) return unusable(what);
		const recent = repositories.filter(({ pushedMs }) => pushedMs >= sinceMs);
		names.push(...recent.filter(({ works }) => works).map(({ name }) => name));
		if (repositories.length < perPage || recent.length < repositories.length) break;
	}
	return { kind: 'repositories', names };
}

function readGroup(value: unknown): VisibleGroup | undefined {
	const { id, name, default: isDefault, inherited } = fieldsOf(value);
	const text = textOf(name);
	if (!isId(id) || text === undefined) return undefined;
	return { id, name: text, isDefault: isDefault === true, inherited: inherited === true };
}

/** Nothing runs in one that is archived or disabled. Without a time it counts as pushed to just now. */
function readRepository(value: unknown): { name: string; pushedMs: number; works: boolean } | undefined {
	const { full_name, pushed_at, archived, disabled } = fieldsOf(value);
	const name = textOf(full_name);
	if (name === undefined || !repositoryParameters(name)) return undefined;
	const pushedMs = Date.parse(textOf(pushed_at) ?? '');
	const works = archived !== true && disabled !== true;
	return { name, pushedMs: Number.isNaN(pushedMs) ? Number.POSITIVE_INFINITY : pushedMs, works };
}
