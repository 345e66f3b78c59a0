import { EventEmitter } from 'node:events';
import { ANYONE } from './identity';
import { LoadLimitService } from './load-limit.service';

class Response extends EventEmitter {
  closed = false;

  close(): void {
    this.closed = true;
    this.emit('close');
  }
}

const overloaded = expect.objectContaining({
  code: 'OVERLOADED',
  details: { retry_after_s: 1 },
}) as Error;

describe('LoadLimitService', () => {
  let limit: LoadLimitService;
  let accepted: Response[];

  const arrive = (): Response => {
    const response = new Response();
    limit.begin(response, ANYONE);
    accepted.push(response);
    return response;
  };
  /** Tries so many. @returns how many were accepted */
  const arriveAll = (count: number): number => {
    const before = accepted.length;
    for (let request = 0; request < count; request += 1) {
      try {
        arrive();
      } catch (error) {
        expect(error).toEqual(overloaded);
      }
    }
    return accepted.length - before;
  };

  beforeEach(() => {
    jest.useFakeTimers();
    accepted = [];
    limit = new LoadLimitService();
  });
  afterEach(() => jest.useRealTimers());

  it('takes a crowd that comes at once, and no endless one', () => {
    expect(arriveAll(100)).toBe(100);
    expect(arriveAll(1_000)).toBe(100);
  });

  it('lets no more wait than have their turn in time once a queue stands, however fast it moves', () => {
    arriveAll(200);
    for (let round = 0; round < 80; round += 1) {
      jest.advanceTimersByTime(25);
      for (const response of accepted.splice(0, 10)) response.close();
      arriveAll(30);
    }
    // 400 a second have their turn: 20 within the target, of which the second that is counted may lack some.
    expect(accepted.length).toBeGreaterThanOrEqual(18);
    expect(accepted.length).toBeLessThanOrEqual(20);
  });

  it('takes a crowd as ever beside a few requests that are slow by themselves', () => {
    arriveAll(15);
    jest.advanceTimersByTime(600);
    expect(arriveAll(100)).toBe(100);
  });

  it('sees an overload in a queue that moves too slowly, before it is full', () => {
    arriveAll(60);
    jest.advanceTimersByTime(500);
    expect(arriveAll(1)).toBe(0);
  });

  it('is as before half a second after the last request that was too many', () => {
    arriveAll(300);
    jest.advanceTimersByTime(400);
    for (const response of accepted) response.close();
    expect(arriveAll(100)).toBe(16);
    for (const response of accepted) response.close();
    jest.advanceTimersByTime(500);
    expect(arriveAll(100)).toBe(100);
  });

  it('does not count who waits for a node only, or for something else', () => {
    for (let request = 0; request < 1_000; request += 1) limit.standAside(arrive());
    arriveAll(200);
    jest.advanceTimersByTime(1_000);
    expect(arriveAll(100)).toBe(100);
  });

  it('leaves room for others beside a caller who wants all of it', () => {
    const counted = (name: string, count: number): number => {
      let taken = 0;
      for (let request = 0; request < count; request += 1) {
        try {
          limit.begin(new Response(), { ...ANYONE, name, proven: true });
          taken += 1;
        } catch (error) {
          expect(error).toEqual(overloaded);
        }
      }
      return taken;
    };
    expect(counted('greedy', 1_000)).toBe(150);
    expect(counted('other', 40)).toBe(40);
  });
});
