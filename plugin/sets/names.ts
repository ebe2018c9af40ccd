import { group, setKinds } from '../../admission/api/sets.ts';
import { usageError } from '../errors.ts';

export type SetKind = 'RunnerSet' | 'RunnerDeployment';

/** A set as named on the command line; without a kind it may be of either kind. */
export interface SetArgument {
	kind?: SetKind;
	name: string;
}

export interface SetRef {
	kind: SetKind;
	name: string;
}

export const kinds: readonly SetKind[] = ['RunnerSet', 'RunnerDeployment'];

/** The kind as the API server serves it; `resource` is its name in URLs, `runnersets`. */
export function servedAs(kind: SetKind): { apiVersion: string; resource: string } {
	return kind === 'RunnerSet' ? setKinds.runnerSet : setKinds.runnerDeployment;
}

/** For people: `runnerset/example`. */
export function shortName({ kind, name }: SetRef): string {
	return `${kind.toLowerCase()}/${name}`;
}

/** As kubectl prints it after a change and with `-o name`: `runnerset.actions.summerwind.dev/example`. */
export function fullName({ kind, name }: SetRef): string {
	return `${kind.toLowerCase()}.${group}/${name}`;
}

/**
 * A resource as kubectl takes it: singular or plural, in any case, with or without group and version. `sets` means both
 * kinds; undefined: neither of our kinds.
 */
export function resourceArgument(arg: string): SetKind | 'sets' | undefined {
	const [resource = '', ...more] = arg.toLowerCase().split('.');
	if (more.length > 0 && more.join('.') !== group && more.slice(1).join('.') !== group) return undefined;
	if (resource === 'sets' && more.length === 0) return 'sets';
	return kinds.find((kind) => resource === servedAs(kind).resource || resource === kind.toLowerCase());
}

/** Whether the command line names sets with their kind (`runnerset/NAME`, `runnerset NAME`), and not by name alone. */
export function namesSetsByKind([first = '', ...more]: readonly string[]): boolean {
	const [resource = '', name] = first.split('/');
	return resourceArgument(resource) !== undefined && (name !== undefined || more.length > 0);
}

/** `NAME`, `KIND/NAME` and `KIND NAME...`, as kubectl takes them. */
export function setArguments(args: readonly string[]): SetArgument[] {
	const [first = '', ...more] = args;
	const kind = more.length > 0 && !first.includes('/') ? resourceArgument(first) : undefined;
	if (kind === undefined) return args.map(setArgument);
	if (more.some((arg) => arg.includes('/'))) {
		throw usageError(
			'there is no need to specify a resource type as a separate argument when passing arguments in resource/name form',
		);
	}
	return more.map((name) => (kind === 'sets' ? { name } : { kind, name }));
}

function setArgument(arg: string): SetArgument {
	const [resource = '', name, ...more] = arg.split('/');
	if (name === undefined && resource !== '') return { name: resource };
	if (!resource || !name || more.length > 0) {
		throw usageError(`"${arg}" is not the name of a set: use NAME, runnerset/NAME or runnerdeployment/NAME`);
	}
	const kind = resourceArgument(resource);
	if (kind === undefined) {
		throw usageError(
			`"${resource}" is not a kind of runner set: use runnerset/NAME or runnerdeployment/NAME`,
		);
	}
	return kind === 'sets' ? { name } : { kind, name };
}
