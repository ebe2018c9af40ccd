/** The script of the job hooks, run by the shells that are here against a server that listens. */
import { execFile } from 'node:child_process';
import {
	chmodSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { issueAuthority, issueServing } from '../../../../admission/certificates/issue.ts';
import type { What } from '../../../../admission/jobs/hooks/rules/layout.ts';
import { hookScript, type ScriptInput } from '../../../../admission/jobs/hooks/rules/script.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('job hook script');

const shells = ['/bin/dash', '/bin/bash', '/bin/busybox'].filter(existsSync);
const started = 'job-started.d';
const token = 'eyJh.eyJh-_.sig';
const day = 24 * 60 * 60_000;

interface Received {
	url: string | undefined;
	authorization: string | undefined;
	body: string;
}

const received: Received[] = [];
const folders: string[] = [];
let server: Server;
let url: string;
let ca: string;
let status = 200;

test.before(async () => {
	const authority = await issueAuthority(day, Date.now());
	const pair = await issueServing(authority, ['localhost', 'hooks.runners.svc'], day, Date.now());
	ca = authority.cert;
	server = createServer(pair, (request, response) => {
		let body = '';
		request.on('data', (part: Buffer) => {
			body += part.toString();
		});
		request.on('end', () => {
			received.push({ url: request.url, authorization: request.headers.authorization, body });
			response.writeHead(status).end();
		});
	});
	url = `https://localhost:${await port(server)}`;
});

test.before.each(() => {
	received.length = 0;
	status = 200;
});

test.after(() => {
	server.close();
	server.closeAllConnections();
	for (const folder of folders) rmSync(folder, { recursive: true });
});

const port = async (listener: Server | ReturnType<typeof createTcpServer>) => {
	await new Promise<void>((resolve) => listener.listen(0, 'localhost', resolve));
	return (listener.address() as AddressInfo).port;
};

/** A pod as a folder: the hook's files, the drop-in folders, /tmp and /dev/shm. The machine's own are shared with other runs. */
function podWith(input: Partial<ScriptInput> = {}) {
	const folder = mkdtempSync(join(tmpdir(), 'job-hook-'));
	folders.push(folder);
	for (const name of ['files', 'tmp', 'shm', started, 'job-completed.d']) mkdirSync(join(folder, name));
	writeFileSync(join(folder, 'files/token'), token);
	writeFileSync(join(folder, 'files/ca.crt'), ca);
	const script = (own: Partial<ScriptInput>) =>
		hookScript({
			url,
			address: undefined,
			before: {},
			folder: join(folder, 'files'),
			temporary: [join(folder, 'tmp'), join(folder, 'shm')],
			...input,
			...own,
		});
	for (const name of [started, 'job-completed.d']) {
		writeFileSync(join(folder, name, 'runners-admission.sh'), script({}), { mode: 0o755 });
	}
	return {
		folder,
		script,
		path: (what: What) => join(folder, `job-${what}.d`, 'runners-admission.sh'),
		write(name: string, text: string) {
			const path = join(folder, name);
			mkdirSync(join(path, '..'), { recursive: true });
			writeFileSync(path, text);
			chmodSync(path, 0o755);
			return path;
		},
	};
}

type Pod = ReturnType<typeof podWith>;

interface Ran {
	code: number;
	stdout: string;
	stderr: string;
	ms: number;
}

async function run(pod: Pod, what: What, shell: readonly string[], env: Record<string, string> = {}) {
	const [file = '', ...args] = [...shell, pod.path(what)];
	const startMs = performance.now();
	return new Promise<Ran>((resolve) => {
		const options = { env: { PATH: '/usr/bin:/bin', TMPDIR: join(pod.folder, 'tmp'), ...job, ...env } };
		execFile(file, args, options, (error, stdout, stderr) =>
			resolve({ code: Number(error?.code ?? 0), stdout, stderr, ms: performance.now() - startMs }),
		);
	});
}

const job = {
	RUNNER_TRACKING_ID: 'github_5a1c',
	GITHUB_REPOSITORY: 'octo-org/app',
	GITHUB_WORKFLOW: 'CI',
	GITHUB_JOB: 'build',
	GITHUB_RUN_ID: '42',
	GITHUB_RUN_ATTEMPT: '1',
	GITHUB_SERVER_URL: 'https://github.com',
};

/** Where in the pod there is the mark of a failure. */
const marks = (pod: Pod) =>
	['files', 'tmp', 'shm'].filter((place) =>
		readdirSync(join(pod.folder, place)).includes('.runners-admission-failed'),
	);

const busybox = (shell: string) => (shell.endsWith('busybox') ? [shell, 'ash'] : [shell]);

for (const shell of shells) {
	test(`${shell}: says who it is and what it runs, and prints nothing`, async () => {
		const pod = podWith();
		for (const what of ['started', 'completed'] as const)
			for (const way of [busybox(shell), [...busybox(shell), '-e'], [...busybox(shell), '-eu']]) {
				const { code, stdout, stderr } = await run(pod, what, way);
				assert.equal([code, stdout, stderr], [0, '', '']);
				const { url: path, authorization, body } = received.pop()!;
				assert.equal([path, authorization], [`/hooks/${what}`, `Bearer ${token}`]);
				assert.equal(JSON.parse(body), job);
			}
	});

	test(`${shell}: what a job chooses may hold anything, and is cut`, async () => {
		const odd = {
			GITHUB_WORKFLOW: 'a "quoted" \\ back\nslash\r\n::set-env name=A::b\t$(touch x) `touch y` \u00fc\u4e16',
			GITHUB_JOB: '"',
			GITHUB_REPOSITORY: '\\',
			RUNNER_TRACKING_ID: 'x'.repeat(100_000),
			GITHUB_RUN_ID: '',
			GITHUB_RUN_ATTEMPT: '-n %s @/etc/passwd',
		};
		const { code, stdout } = await run(podWith(), 'started', busybox(shell), odd);
		assert.equal([code, stdout], [0, '']);
		const body = JSON.parse(received.pop()!.body);
		assert.is(
			body.GITHUB_WORKFLOW,
			'a "quoted" \\ back slash  ::set-env name=A::b $(touch x) `touch y` \u00fc\u4e16',
		);
		assert.equal([body.GITHUB_JOB, body.GITHUB_REPOSITORY], ['"', '\\']);
		assert.is(body.RUNNER_TRACKING_ID, 'x'.repeat(200));
		assert.equal([body.GITHUB_RUN_ID, body.GITHUB_RUN_ATTEMPT], ['', odd.GITHUB_RUN_ATTEMPT]);
	});

	test(`${shell}: without curl, by the Node.js that lies beside the runner's process`, async () => {
		const pod = podWith({ curl: ['/nowhere/curl'] });
		const root = join(pod.folder, 'a runner');
		for (const version of ['node16', 'node20', 'node20_alpine'])
			pod.write(`a runner/externals/${version}/bin/node`, '');
		rmSync(join(root, 'externals/node20/bin/node'));
		symlinkSync(process.execPath, join(root, 'externals/node20/bin/node'));
		const worker = `exec -a '${root}/bin.2.330.0/Runner.Worker' /bin/dash -c '"$@"; exit $?' worker "$@"`;
		const env = { NODE_OPTIONS: '--no-such-option', https_proxy: 'http://127.0.0.1:1' };
		const { code, stdout } = await run(
			pod,
			'started',
			['/bin/bash', '-c', worker, 'bash', ...busybox(shell)],
			env,
		);
		assert.equal([code, stdout], [0, '']);
		const { authorization, body } = received.pop()!;
		assert.is(authorization, `Bearer ${token}`);
		assert.equal(JSON.parse(body), job);
	});

	test(`${shell}: neither curl nor a runner: the job goes on`, async () => {
		const { code, stdout } = await run(podWith({ curl: [] }), 'started', busybox(shell));
		assert.is(code, 0);
		assert.match(stdout, /could not report to runners-admission that it has started \(code 91\)\n$/);
	});

	test(`${shell}: refused or down: at once, and the job goes on`, async () => {
		const pod = podWith();
		status = 401;
		const refused = await run(pod, 'started', busybox(shell));
		assert.equal([refused.code, refused.stdout.includes('(code 22)')], [0, true]);
		const down = await run(podWith({ url: 'https://localhost:1' }), 'started', busybox(shell));
		assert.equal([down.code, down.stdout.includes('(code 7)')], [0, true]);
		for (const { ms, stdout, stderr } of [refused, down]) {
			assert.ok(ms < 2_500, `${ms} ms`);
			assert.is(stderr, '');
			assert.not.match(stdout, /^::/m);
		}
	});

	test(`${shell}: a server that hangs costs 3 s once, then 1 s`, async () => {
		const silent = createTcpServer((socket) => void socket.on('error', () => undefined));
		const pod = podWith({ url: `https://localhost:${await port(silent)}` });
		const first = await run(pod, 'started', busybox(shell));
		const second = await run(pod, 'completed', busybox(shell));
		silent.close();
		assert.equal([first.code, second.code], [0, 0]);
		assert.ok(first.ms > 2_500 && first.ms < 4_500, `first ${first.ms} ms`);
		assert.ok(second.ms > 800 && second.ms < 2_500, `then ${second.ms} ms`);
	});

	test(`${shell}: nothing is reported to another CA's server`, async () => {
		const pod = podWith();
		pod.write('files/ca.crt', (await issueAuthority(day, Date.now())).cert);
		assert.is((await run(pod, 'started', busybox(shell))).code, 0);
		assert.is(received.length, 0);
	});

	test(`${shell}: no token, or one that is none: nothing is sent`, async () => {
		const pod = podWith();
		for (const text of ['', 'a" \nurl = "https://example.com']) {
			pod.write('files/token', text);
			const { code, stdout } = await run(pod, 'started', busybox(shell));
			assert.is(code, 0);
			assert.match(stdout, /\(code 90\)/);
		}
		assert.is(received.length, 0);
	});

	test(`${shell}: the address stands in for a name that can't be resolved`, async () => {
		const name = url.replace('localhost', 'hooks.runners.svc');
		const pod = podWith({ url: name, address: '127.0.0.1' });
		assert.equal((await run(pod, 'started', busybox(shell))).stdout, '');
		assert.is(received.length, 1);
	});

	test(`${shell}: proxies, a .curlrc and functions named curl are not used`, async () => {
		const pod = podWith();
		pod.write('.curlrc', 'url = "https://example.com"\nproxy = "http://127.0.0.1:1"\n');
		const proxy = 'http://127.0.0.1:1';
		const env = { HOME: pod.folder, https_proxy: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy };
		assert.equal(
			(await run(pod, 'started', busybox(shell), { ...env, 'BASH_FUNC_curl%%': '() { exit 9; }' })).stdout,
			'',
		);
		assert.is(received.length, 1);
	});

	test(`${shell}: no place for its mark: the job goes on`, async () => {
		const pod = podWith({ url: 'https://localhost:1', temporary: ['/nowhere/tmp'] });
		const { code, stderr } = await run(pod, 'started', busybox(shell), { TMPDIR: '/nowhere' });
		assert.equal([code, stderr], [0, '']);
	});

	test(`${shell}: a report that succeeds takes the mark of an earlier failure away, wherever it is`, async () => {
		for (const where of ['', '/nowhere', 'files']) {
			const pod = podWith();
			const env = { TMPDIR: where === 'files' ? join(pod.folder, where) : where };
			status = 500;
			await run(pod, 'started', busybox(shell), env);
			assert.is(marks(pod).length, 1, where);
			await run(pod, 'completed', busybox(shell), env);
			assert.is(marks(pod).length, 1, where);
			status = 200;
			const { code, stdout, stderr } = await run(pod, 'started', busybox(shell), env);
			assert.equal([code, stdout, stderr, marks(pod)], [0, '', '', []], where);
		}
	});

	test(`${shell}: the template's own hook runs in its place, its exit code is the job's`, async () => {
		const pod = podWith();
		const own = pod.write("it's/own hook.sh", 'false\necho "$0 not reached"');
		const seven = pod.write('seven.sh', 'echo "::warning::its own"; exit 7');
		writeFileSync(pod.path('started'), pod.script({ before: { started: seven, completed: own } }));
		writeFileSync(pod.path('completed'), pod.script({ before: { started: seven, completed: own } }));
		const named = (what: What) => ({ [`ACTIONS_RUNNER_HOOK_JOB_${what.toUpperCase()}`]: pod.path(what) });
		const ran = await run(pod, 'started', [...busybox(shell), '-e'], named('started'));
		assert.equal([ran.code, ran.stdout], [7, '::warning::its own\n']);
		const failed = await run(pod, 'completed', [...busybox(shell), '-e'], named('completed'));
		assert.equal([failed.code, failed.stdout], [1, '']);
		assert.equal(
			received.map((one) => one.url),
			['/hooks/started', '/hooks/completed'],
		);
		// ARC's image runs its own hooks: those of the template never ran there.
		assert.is((await run(pod, 'started', [...busybox(shell), '-e'])).code, 0);
	});
}

test('hooks in JavaScript run by the runner, those in PowerShell by pwsh; no others', async () => {
	const pod = podWith();
	const root = 'runner';
	pod.write(`${root}/externals/node20/bin/node`, '#!/bin/sh\necho "node $*"; exit 3');
	pod.write('bin/pwsh', '#!/bin/sh\necho "pwsh $*"; exit 4');
	const before = { started: "/opt/a 'b'.js", completed: "/opt/a 'b'.ps1" };
	const script = (own: ScriptInput['before']) => pod.script({ before: own });
	const worker = `exec -a '${pod.folder}/${root}/bin/Runner.Worker' /bin/dash -c '"$@"; exit $?' worker "$@"`;
	const ran = (what: What) => {
		const variable = `ACTIONS_RUNNER_HOOK_JOB_${what.toUpperCase()}`;
		const env = { [variable]: pod.path(what), PATH: `${pod.folder}/bin:/usr/bin:/bin` };
		return run(pod, what, ['/bin/bash', '-c', worker, 'bash', '/bin/bash', '-e'], env);
	};
	for (const what of ['started', 'completed'] as const) writeFileSync(pod.path(what), script(before));
	const js = await ran('started');
	assert.equal([js.code, js.stdout], [3, "node /opt/a 'b'.js\n"]);
	const ps1 = await ran('completed');
	assert.equal([ps1.code, ps1.stdout], [4, "pwsh -command . '/opt/a ''b''.ps1'\n"]);
	writeFileSync(pod.path('started'), script({ started: '/opt/hook.py' }));
	const py = await ran('started');
	assert.is(py.code, 1);
	assert.match(py.stdout, /must end in/);
});

test('the token is in no argument of any process', async () => {
	const pod = podWith();
	const curl = pod.write('curl', '#!/bin/sh\nprintf "%s\\n" "$@" >"$TMPDIR/arguments"; cat >"$TMPDIR/stdin"');
	writeFileSync(pod.path('started'), pod.script({ curl: [curl] }));
	await run(pod, 'started', []);
	const { readFileSync } = await import('node:fs');
	assert.not.match(readFileSync(join(pod.folder, 'tmp/arguments'), 'utf8'), token);
	assert.match(readFileSync(join(pod.folder, 'tmp/stdin'), 'utf8'), token);
});

test.run();
