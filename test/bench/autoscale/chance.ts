/** Numbers by chance that are the same for the same names, whatever else has been drawn before. */
type Chance = () => number;

/** A generator (mulberry32) for what `names` name, of the numbers in [0, 1). */
export function chance(seed: number, ...names: (string | number)[]): Chance {
	let state = seed >>> 0;
	for (const character of names.join(' ')) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193);
	state = Math.imul(state ^ (state >>> 16), 0x85ebca6b) >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
	};
}

export const exponential = (next: Chance, mean: number): number => -mean * Math.log(1 - next());

export const uniform = (next: Chance, from: number, to: number): number => from + (to - from) * next();

/** The logarithm of it is normal, with this sigma. */
export const lognormal = (next: Chance, median: number, sigma: number): number =>
	median * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));

export const logUniform = (next: Chance, from: number, to: number): number => from * (to / from) ** next();
