/** What the plugin reads of a kubeconfig without a YAML parser is what the parser would read, or it leaves it to the parser. */
import { loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import { readPlainYaml } from '../../../../plugin/kube/plain-yaml.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('plugin: plain YAML');

const admin = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSURCVENDQWU==
    server: https://127.0.0.1:6443
  name: kind-kind
- cluster:
    insecure-skip-tls-verify: true
    server: https://other.example:6443
  name: other
contexts:
- context:
    cluster: kind-kind
    namespace: ci
    user: kind-kind
  name: kind-kind
current-context: kind-kind
kind: Config
preferences: {}
users:
- name: kind-kind
  user:
    client-certificate-data: LS0tLS1CRUdJTg==
    client-key: /home/me/.kube/key.pem
`;

const cloud = `# written by a tool
apiVersion: v1
kind: Config
current-context: ""
clusters:
  - name: arn:aws:eks:eu-west-1:111122223333:cluster/ci
    cluster:
      server: https://ABCDEF.gr7.eu-west-1.eks.amazonaws.com

contexts: []
users:
  - name: "some one"
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1beta1
        args:
          - eks
          - get-token
        command: aws
        provideClusterInfo: false
`;

test('what kubectl and the tools of clouds write is read without the parser, and alike', () => {
	for (const text of [admin, cloud]) {
		const plain = readPlainYaml(text);
		assert.ok(plain);
		assert.equal(plain, loadAll(text)[0]);
	}
});

for (const [what, text] of [
	['an empty file', ''],
	['a document mark', '---\na: b'],
	['two documents', 'a: b\n---\nc: d'],
	['a number', 'a: 1'],
	['a number as a key', '1: a'],
	['a time', 'a: 2026-01-01'],
	['a text that is a boolean elsewhere', 'a: yes'],
	['a null', 'a: ~'],
	['a single quote', "a: 'b'"],
	['an escape', 'a: "b\\n"'],
	['a comment behind a value', 'a: b # c'],
	['a flow mapping', 'a: {b: c}'],
	['JSON', '{"a": "b"}'],
	['an anchor', 'a: &x b\nc: *x'],
	['a tag', 'a: !!str b'],
	['a text of several lines', 'a: |\n  b\n  c'],
	['a value that goes on', 'a: b\n  c'],
	['a key twice', 'a: b\na: c'],
	['a tab', 'a:\tb'],
	['a line end of Windows', 'a: b\r\n'],
	['a mapping in a value', 'a: b: c'],
	['an indentation that fits nothing', 'a:\n    b: c\n  d: e'],
	['a sequence in a sequence', '- - a'],
	['a sequence at the top', '- a'],
	['a prototype', '__proto__: a'],
] as const) {
	test(`left to the parser: ${what}`, () => {
		assert.is(readPlainYaml(text), undefined);
	});
}

test('of 20,000 texts broken at random, each is left to the parser or read as it would', () => {
	const pieces = [
		'\n',
		' ',
		'  ',
		'- ',
		':',
		': ',
		'#',
		' #',
		'"',
		"'",
		'{}',
		'[]',
		'1',
		'true',
		'null',
		'|',
		'\t',
		'-',
		'a',
		'\n\n',
	];
	let seed = 1;
	const random = (below: number) => {
		seed = (seed * 48_271) % 2_147_483_647;
		return seed % below;
	};
	let read = 0;
	for (let round = 0; round < 20_000; round++) {
		let text = round % 2 === 0 ? admin : cloud;
		for (let change = 0; change <= random(3); change++) {
			const at = random(text.length);
			text = text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(4));
		}
		const plain = readPlainYaml(text);
		if (!plain) continue;
		read++;
		assert.equal(plain, loadAll(text)[0], text);
	}
	assert.ok(read > 1_000, `only ${read} were plain`);
});

test.run();
