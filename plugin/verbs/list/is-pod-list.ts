import { resourceArgument } from '../../sets/names.ts';

export const listName = 'list';
export const listAliases = ['get', 'ls'];

/** Whether the command line asks for a table, or the names, of pods. If it may ask for more, it may ask for pods too. */
export function isPodList([name = '', ...rest]: readonly string[]): boolean {
	return (name === listName || listAliases.includes(name)) && !rest.some(mayAskForMore);
}

/** Whether an argument may ask for sets or data, which only the second bundle prints. */
function mayAskForMore(argument: string): boolean {
	return meansSets(argument) || /json|yaml/.test(argument);
}

/** Whether a word names sets: by `sets`, or by their kind. */
export function meansSets(word: string | undefined): boolean {
	return word !== undefined && resourceArgument(word.split('/')[0] ?? '') !== undefined;
}
