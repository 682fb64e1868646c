import { expect, test } from 'vitest';
import { readDialled } from '#gateway/panel/call/dial.ts';

const COLLEAGUES = [
  { extension: '1001', name: 'Amara Okafor' },
  { extension: '1002', name: 'Ben Carter' },
  { extension: '1003', name: 'Bea Carter-Lin' },
  { extension: '1004', name: 'Ben Carter Junior' },
  { extension: 'ben', name: '' },
];
const read = (text: string) => readDialled(text, 'demo.example', COLLEAGUES);

test.each([
  ['1005', 'sip:1005@demo.example', '1005'],
  [' +49 (30) 123-456/7 ', 'sip:+49301234567@demo.example', '+49301234567'],
  ['*21#', 'sip:*21%23@demo.example', '*21#'],
  ['sip:1005@Acme.Example', 'sip:1005@acme.example', '1005'],
  ['1005@acme.example', 'sip:1005@acme.example', '1005'],
  ['amara okafor', 'sip:1001@demo.example', '1001'],
  ['Ben Carter', 'sip:1002@demo.example', '1002'],
  ['okaf', 'sip:1001@demo.example', '1001'],
  ['ben', 'sip:ben@demo.example', 'ben'],
  ['reception', 'sip:reception@demo.example', 'reception'],
])('%j calls %s', (text, uri, user) => {
  expect(read(text)).toEqual({ uri, user });
});

test.each([
  ['', /Type an extension/],
  ['carter', /Ben Carter, Bea Carter-Lin, Ben Carter Junior/],
  ['no such person', /no extension/],
  ['a<b>', /no extension/],
])('%j is told what is wrong', (text, problem) => {
  expect(read(text)).toEqual({ problem: expect.stringMatching(problem) });
});
