import { printable } from '../../api/printable.ts';
import { mostTellingLines } from './policy.ts';

/**
 * What the runner's own log says. actions/runner prints it on stdout, before the worker of a job starts and after it has
 * ended (Runner.Listener: Runner.cs, JobDispatcher.cs).
 */
export type LogReading =
	| { says: 'idle'; at: string | undefined }
	/**
	 * `unclear`: its start is not a whole line, or what came after it is unclear. Its end may never be readable, so GitHub's lists
	 * may end it, as where a log cannot be read.
	 */
	| { says: 'works'; at: string | undefined; job: string | undefined; unclear?: true }
	/** `why`, for people. `further`: what was read of it does not tell, but what is before that may. `unreadable`: it cannot be read. */
	| { says: 'unknown'; why: string; further?: true; unreadable?: boolean; at?: undefined };

/** The runner prints these lines with its time before them (.NET's format `u`), and nothing after them. */
const time = String.raw`(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ)`;
/** Wherever it stands in a line, it is a start: .NET writes the time and these words at once. */
const start = new RegExp(`${time}: Running job:([^]*)$`);
/** An end is one only where it is the whole line: a job's name, or what was printed before it, may hold the same words. */
const end = new RegExp(`^${time}: (?:Listening for Jobs|Job [^]* completed with result: \\w+)$`);
const listensUnclearly = new RegExp(`${time}: Listening for Jobs`);
const jobUnclearly = new RegExp(`${time}: Job `);
const completed = ' completed with result:';
/** With ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT the worker's own log is there as well. */
const worker = /\[WORKER \d{4}-\d\d-\d\d /;
const workerMark = '[WORKER ';

/** Each line that tells something holds one of these. */
const marks = ['Running job:', 'Listening for Jobs', completed, workerMark];

const escapeCharacter = '\u001b';
/**
 * What a terminal does not show: colours and other control sequences, keypad modes (.NET sends them first where stdout is a
 * terminal), saved cursors, character sets. None of them can hold the first digit of a time: nothing of a start is lost.
 */
const escapes = new RegExp(String.raw`${escapeCharacter}(?:\[[0-?]*[ -/]*[@-~]|[=>78]|[()][AB0])`, 'g');

/** A job's name can be as long as a log. */
const longestName = 200;

/**
 * What a kubelet answers, with status 200, where it cannot read a log or can read only a part of it (GetContainerLogs of
 * kuberuntime_manager.go, ReadLogs of cri-client's logs.go; the first one was seen with 1.36 while the container runtime was
 * away). There is no line break after it.
 */
const kubeletErrors =
	/^(?:unable to retrieve container logs for |rpc error: code = |failed to (?:try resolving symlinks in path|open log file|tail \d+ lines of log file|seek -?\d+ in log file|read log file|get parse function|create fsnotify watcher|watch) ?)/;
const longestError = 4_096;

/** A log is read in pieces of about so many characters, from its end on: none takes more than a few milliseconds. */
const pieceLength = 32 * 1024;
/** Of a line that is longer than a piece so much is read twice, so that a start is whole in one of them. */
const overlap = 128;

/**
 * Reads the end of a log. The last line that says something counts, and where it is not clear what it says, the runner
 * works or nothing is known: what an older line says never stands for it.
 *
 * @param text the log's last lines
 * @param toItsEnd false: the reading was cut off before the end, so that what came after is not known
 */
export function readRunnerLog(text: string, toItsEnd: boolean): LogReading {
	const reading = readInPieces(text, toItsEnd);
	for (;;) {
		const { done, value } = reading.next();
		if (done) return value;
	}
}

/** As `readRunnerLog`; yields between its pieces, so that its caller can give way to others. */
export function* readInPieces(text: string, toItsEnd: boolean): Generator<undefined, LogReading, undefined> {
	if (!toItsEnd) return { says: 'unknown', why: 'its log is too long to be read to its end' };
	const known: Known = { counted: 0 };
	let reading: LogReading | undefined;
	let isFirst = true;
	for (const piece of piecesOf(text)) {
		if (!isFirst) yield;
		isFirst = false;
		reading = readPiece(piece, known);
		if (reading) break;
	}
	reading ??= readAll(known);
	const error = reading.says === 'works' ? undefined : kubeletError(text);
	if (error === undefined) return reading;
	return { says: 'unknown', why: `its log cannot be read: ${error}`, unreadable: true };
}

/** The kubelet's message in place of the rest of the log; undefined: there is none. */
function kubeletError(text: string): string | undefined {
	const tail = text.slice(-longestError);
	const whole = tail.endsWith('\n') ? tail.length - 1 : tail.length;
	const from = tail.lastIndexOf('\n', whole - 1) + 1;
	// A whole line after others is one of the log's.
	if (whole < tail.length && from + text.length - tail.length > 0) return undefined;
	const last = tail.slice(from, Math.min(whole, from + longestName));
	return kubeletErrors.test(last) ? printable(last) : undefined;
}

/** Some lines of a log; `cutBefore`, `cutAfter`: its first or its last line goes on in the piece before or after it. */
interface Piece {
	text: string;
	cutBefore: boolean;
	cutAfter: boolean;
}

/** The last piece comes first. */
function* piecesOf(text: string): Generator<Piece> {
	let cutAfter = false;
	for (let to = text.length; to > 0; ) {
		const part = text.slice(Math.max(0, to - pieceLength), to);
		const lineBreak = to > part.length ? part.indexOf('\n') : -1;
		const isSplit = lineBreak >= 0 && lineBreak < part.length - 1;
		const cutBefore = to > part.length && !isSplit;
		yield { text: isSplit ? part.slice(lineBreak + 1) : part, cutBefore, cutAfter };
		to -= isSplit ? part.length - lineBreak - 1 : part.length;
		if (cutBefore) to += overlap;
		cutAfter = cutBefore;
	}
}

/** What the lines read so far, which are the last ones, say; none of them is a whole line of a start or an end. */
interface Known {
	/** How many lines that hold a mark have been read. */
	counted: number;
	/** The worker has printed something; the runner's line before it names the job. */
	worker?: { clean: boolean };
	/** There is an end that is not a whole line, printed at this time. */
	unclearEnd?: string;
}

type Works = Extract<LogReading, { says: 'works' }>;
type Line =
	| { says: 'start'; starts: Works }
	| { says: 'end'; at: string; clean: boolean }
	| { says: 'worker'; clean: boolean };

/** undefined: what is before this piece counts as well. */
function readPiece({ text: raw, cutBefore, cutAfter }: Piece, known: Known): LogReading | undefined {
	const text = raw.includes(escapeCharacter) ? raw.replace(escapes, '') : raw;
	const found = marks.map((mark) => (known.worker && mark === workerMark ? -1 : text.lastIndexOf(mark)));
	for (let mark = Math.max(...found); mark >= 0; mark = Math.max(...found)) {
		if (++known.counted > mostTellingLines) return readAll(known);
		const from = text.lastIndexOf('\n', mark) + 1;
		const to = endOfLine(text, mark);
		const isCut = { before: cutBefore && from === 0, after: cutAfter && text.indexOf('\n', to) < 0 };
		const reading = readNext(readLine(text.slice(from, to), isCut), known);
		if (reading) return reading;
		for (const [index, position] of found.entries()) {
			// Thousands of lines of the worker say no more than its last one.
			const isLast = from === 0 || (known.worker !== undefined && marks[index] === workerMark);
			if (position >= from) found[index] = isLast ? -1 : text.lastIndexOf(marks[index] ?? '', from - 1);
		}
	}
	return undefined;
}

/** What the log says by this line and those after it; undefined: the lines before count as well. */
function readNext(line: Line | undefined, known: Known): LogReading | undefined {
	const { worker, unclearEnd } = known;
	if (!line) return undefined;
	if (line.says === 'worker') {
		known.worker ??= line;
		return undefined;
	}
	if (line.says === 'start') {
		// Where both are unclear, something writes before each line, and nothing tells which came last.
		if (unclearEnd !== undefined && !worker && line.starts.unclear) return readAll(known);
		const isClear = worker?.clean !== false && unclearEnd === undefined;
		return isClear ? line.starts : { ...line.starts, unclear: true };
	}
	// The trace of a worker that has ended may trail after the end of its job.
	if (worker) return { says: 'works', at: line.at, job: undefined, unclear: true };
	if (!line.clean) {
		known.unclearEnd ??= line.at;
		return undefined;
	}
	return unclearEnd === undefined ? { says: 'idle', at: line.at } : readAll(known);
}

/** What the lines say that have been read, where there are no others, or too many. */
function readAll({ counted, worker, unclearEnd }: Known): LogReading {
	if (worker)
		return unclearEnd === undefined
			? { says: 'works', at: undefined, job: undefined }
			: { says: 'works', at: unclearEnd, job: undefined, unclear: true };
	if (counted > mostTellingLines)
		return { says: 'unknown', why: 'its log has too many lines that may be of the runner' };
	if (unclearEnd === undefined)
		return { says: 'unknown', why: 'its log does not say whether it works', further: true };
	return { says: 'unknown', why: 'the last line of the runner in its log is not whole', further: true };
}

/** What one line says, without its line break; undefined: nothing. */
function readLine(line: string, isCut: { before: boolean; after: boolean }): Line | undefined {
	const started = start.exec(line);
	if (started) {
		const [, at, name = ''] = started;
		const job = printable(name.slice(0, longestName + 1).trim()) || undefined;
		const isClean = started.index === 0 && !isCut.before;
		return { says: 'start', starts: { says: 'works', at, job, ...(!isClean && { unclear: true }) } };
	}
	const [, at] = end.exec(line) ?? [];
	if (at !== undefined) return { says: 'end', at, clean: !isCut.before && !isCut.after };
	const work = worker.exec(line);
	if (work) return { says: 'worker', clean: work.index === 0 && !isCut.before };
	const completedAt = line.lastIndexOf(completed);
	const [, unclearAt] =
		listensUnclearly.exec(line) ?? jobUnclearly.exec(line.slice(0, Math.max(0, completedAt))) ?? [];
	return unclearAt === undefined ? undefined : { says: 'end', at: unclearAt, clean: false };
}

/** Where the line ends that holds this position: before its line break, and before those of a terminal (CR LF). */
function endOfLine(text: string, position: number): number {
	const lineBreak = text.indexOf('\n', position);
	let to = lineBreak < 0 ? text.length : lineBreak;
	while (text.charCodeAt(to - 1) === 13 && to > position) to--;
	return to;
}

/** Whether a text has as many lines as were asked for: where it has fewer, the log holds no others. */
export function hasLines(text: string, lines: number): boolean {
	let counted = 0;
	for (let at = text.indexOf('\n'); at >= 0 && counted < lines; at = text.indexOf('\n', at + 1)) counted++;
	return counted >= lines;
}

/** The time that stands before the line of the log, by the runner's clock, ms since the epoch; undefined: there is none. */
export function loggedMs(reading: LogReading): number | undefined {
	const ms = Date.parse((reading.at ?? '').replace(' ', 'T'));
	return Number.isNaN(ms) ? undefined : ms;
}
