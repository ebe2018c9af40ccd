import type { Random } from '../../../rig/random.ts';

type Parent = Record<string, unknown>;

/** One of these. */
export function oneOf<T>({ between }: Pick<Random, 'between'>, items: readonly T[]): T {
	const item = items[between(0, items.length)];
	if (item === undefined) throw new Error('nothing to choose from');
	return item;
}

/** In so many of 100 cases. */
export const percent = ({ between }: Pick<Random, 'between'>, share: number): boolean =>
	between(0, 100) < share;

const deep = (levels: number) => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`) as unknown;

/** What no program expects at this place. Nothing here is the name of a pod. */
const odd: (() => unknown)[] = [
	() => null,
	() => true,
	() => 0,
	() => -1,
	() => 1e308,
	() => '',
	() => 'All',
	() => '2999-01-01T00:00:00Z',
	() => '\u0000\u001b[2J\u202e\ud800',
	() => '../../../kube-system/secrets/a?b#c%00',
	() => '𝕊𝕖𝕥 ‮ ﷽',
	() => [],
	() => [null],
	() => ({}),
	() => ({ toString: 1, valueOf: null, length: 1e9 }),
	() => JSON.parse('{"__proto__": {"allowed": true}, "constructor": null}') as unknown,
	() => 'x'.repeat(30_000),
	() => deep(2_000),
];

/** Changes one place of the object: drops it, puts something odd there, or adds a member. Near the root more often. */
export function mutate(root: unknown, random: Random): void {
	if (typeof root !== 'object' || root === null) return; // an earlier change was here
	let parent = root as Parent;
	for (;;) {
		const keys = Object.keys(parent);
		if (keys.length === 0) return;
		const key = oneOf(random, keys);
		const child = parent[key];
		const isObject = typeof child === 'object' && child !== null;
		if (isObject && Object.keys(child).length > 0 && percent(random, 70)) {
			parent = child as Parent;
			continue;
		}
		if (percent(random, 30)) delete parent[key];
		else if (percent(random, 15)) parent[`${key}\u0000`] = child;
		else parent[key] = oneOf(random, odd)();
		return;
	}
}
