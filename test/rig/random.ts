/** Repeatable random numbers for tests: the seed is printed, and SEED=... repeats them. */
export interface Random {
	seed: number;
	/** A whole number from `from` up to, not including, `to`. */
	between(from: number, to: number): number;
	shuffled<T>(items: readonly T[]): T[];
}

export function random(seed = Number(process.env.SEED ?? Date.now() % 1_000_000)): Random {
	let state = seed >>> 0;
	/** Mulberry32: 0 to 1. */
	const next = () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
	const between = (from: number, to: number) => from + Math.floor(next() * (to - from));
	return {
		seed,
		between,
		shuffled(items) {
			const keyed = items.map((item) => ({ item, key: next() }));
			return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
		},
	};
}
