import { ApiError, isConflict } from './failure.ts';

/** How often a write is tried while others keep writing the same object first. */
const mostTries = 5;

/**
 * A write that depends on the object's state. If somebody else has written in between, the API server refuses it (409);
 * then the object is read again, since the write may no longer be right, and the write is repeated.
 */
export async function despiteOtherWriters<T, R>(
	seen: T,
	write: (current: T) => Promise<R>,
	readAgain: () => Promise<T>,
): Promise<R> {
	let current = seen;
	for (let attempt = 1; ; attempt++) {
		try {
			return await write(current);
		} catch (error) {
			if (!lostRace(error) || attempt === mostTries) throw error;
			current = await readAgain();
		}
	}
}

/**
 * Other conflicts name their causes (fields that another manager owns, a denial); repeating the write would not help.
 */
function lostRace(error: unknown): boolean {
	return error instanceof ApiError && isConflict(error) && !error.status.details?.causes?.length;
}
