import { expect, test } from 'vitest';
import { eventOf } from '#cdk/local/streams/stream-record.ts';

test('an empty map, whose type DynamoDB Local leaves out of its stream, is a map again', () => {
  const nameless = JSON.parse('{}');
  const event = eventOf({ dynamodb: { NewImage: { a: { M: { live: nameless } }, b: { L: [] } } } }, 'arn');
  expect(event).toMatchObject({ dynamodb: { NewImage: { a: { M: { live: { M: {} } } }, b: { L: [] } } } });
});
