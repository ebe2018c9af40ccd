import * as assert from 'uvu/assert';
import { type AuditReport, type AuditResult, readAudit } from '../../../scripts/audit.ts';
import { suite } from '../../support/suite.ts';

const test = suite('audit of dependencies');

const advisory = { title: 'Prototype pollution', url: 'https://github.com/advisories/GHSA-x' };
const cases: [string, AuditReport, AuditResult][] = [
	['nothing known', { vulnerabilities: {} }, { kind: 'clean' }],
	[
		'a moderate one passes',
		{ vulnerabilities: { a: { severity: 'moderate', via: [advisory] } } },
		{ kind: 'clean' },
	],
	[
		'high and critical ones fail, with where to read on',
		{
			vulnerabilities: {
				a: { severity: 'high', via: [advisory] },
				b: { severity: 'critical', via: ['a'] },
				c: { severity: 'low', via: [] },
			},
		},
		{
			kind: 'vulnerable',
			lines: ['a: high (https://github.com/advisories/GHSA-x)', 'b: critical (a)'],
		},
	],
	[
		'a registry that cannot be asked is said, not taken for a clean bill',
		{ message: '405 Method Not Allowed', error: { code: 'ENOAUDIT', summary: '' } },
		{ kind: 'not-asked', why: '405 Method Not Allowed' },
	],
];

for (const [what, report, expected] of cases) test(what, () => assert.equal(readAudit(report), expected));

test.run();
