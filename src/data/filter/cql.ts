import { toDate } from './convert.ts';
import { type Token, tokenAt } from './cql-lexer.ts';
import {
  and,
  type ComparisonOperator,
  EXCLUDE,
  type Expression,
  type Filter,
  FilterError,
  INCLUDE,
  type SpatialOperator,
  type TemporalOperator,
} from './types.ts';
import { parseWkt, startsWkt } from './wkt.ts';

/** Longest text that is read, in UTF-16 units, and deepest nesting. */
export const CQL_LIMITS = { lengthMax: 1024 * 1024, depthMax: 200 } as const;

/**
 * Reads a condition in GeoServer's Extended Common Query Language.
 *
 * @throws FilterError  with the offset of what was not understood
 * @see https://docs.geoserver.org/stable/en/user/filter/ecql_reference.html
 */
export function parseCql(text: string): Filter {
  const parser = new CqlParser(text);
  const filter = parser.filter();
  parser.end();
  return filter;
}

/** Reads an expression in the same language, as it stands between `${` and `}` in styles. */
export function parseCqlExpression(text: string): Expression {
  const parser = new CqlParser(text);
  const expression = parser.expression();
  parser.end();
  return expression;
}

const SPATIAL: Readonly<Record<string, SpatialOperator>> = {
  EQUALS: 'equals',
  DISJOINT: 'disjoint',
  INTERSECTS: 'intersects',
  TOUCHES: 'touches',
  CROSSES: 'crosses',
  WITHIN: 'within',
  CONTAINS: 'contains',
  OVERLAPS: 'overlaps',
};

const COMPARISONS: Readonly<Record<string, ComparisonOperator>> = {
  '=': '=',
  '<>': '<>',
  '!=': '<>',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};

const RESERVED = new Set([
  'AND',
  'OR',
  'NOT',
  'BETWEEN',
  'LIKE',
  'ILIKE',
  'IS',
  'NULL',
  'IN',
  'BEFORE',
  'AFTER',
  'DURING',
]);

class CqlParser {
  readonly #text: string;
  #token: Token;
  /** Where the token after the present one begins to be looked for. */
  #next: number;
  #depth = 0;

  constructor(text: string) {
    if (text.length > CQL_LIMITS.lengthMax)
      throw new FilterError(`the filter is longer than ${CQL_LIMITS.lengthMax} characters`);
    this.#text = text;
    const { token, end } = tokenAt(text, 0);
    this.#token = token;
    this.#next = end;
  }

  end(): void {
    if (this.#token.kind !== 'end') throw this.#unexpected('the end');
  }

  // ---- conditions

  filter(): Filter {
    return this.#nested(() => {
      const filters = [this.#conjunction()];
      while (this.#takeWord('OR')) filters.push(this.#conjunction());
      return filters.length === 1 ? filters[0]! : { kind: 'or', filters };
    });
  }

  #conjunction(): Filter {
    const filters = [this.#negation()];
    while (this.#takeWord('AND')) filters.push(this.#negation());
    return filters.length === 1 ? filters[0]! : and(...filters);
  }

  #negation(): Filter {
    if (!this.#takeWord('NOT')) return this.#predicate();
    return this.#nested(() => ({ kind: 'not', filter: this.#negation() }));
  }

  #predicate(): Filter {
    const token = this.#token;
    if (token.kind === 'symbol' && (token.text === '(' || token.text === '[')) return this.#parenthesised(token);
    if (token.kind === 'word' && !token.quoted) {
      const word = token.text.toUpperCase();
      if (word === 'INCLUDE' || word === 'EXCLUDE') {
        this.#advance();
        return word === 'INCLUDE' ? INCLUDE : EXCLUDE;
      }
      if (word === 'IN') return this.#ids();
      if (this.#text[this.#afterSpace()] === '(') {
        const spatial = SPATIAL[word];
        if (spatial !== undefined) return this.#spatial(spatial);
        if (word === 'BBOX') return this.#bbox();
        if (word === 'DWITHIN' || word === 'BEYOND') return this.#distance(word === 'DWITHIN' ? 'dwithin' : 'beyond');
        if (word === 'RELATE') return this.#relate();
      }
    }
    return this.#comparison();
  }

  /**
   * A parenthesis opens a condition, or an expression such as `(a + 1) * 2 > b`. The expression is tried first; what
   * it holds is never a condition, so each level is read at most twice.
   */
  #parenthesised(open: Token): Filter {
    const saved = { token: this.#token, next: this.#next, depth: this.#depth };
    try {
      return this.#comparison();
    } catch (first) {
      if (!(first instanceof FilterError)) throw first;
      this.#token = saved.token;
      this.#next = saved.next;
      this.#depth = saved.depth;
      this.#advance();
      try {
        const filter = this.filter();
        this.#expect(open.text === '(' ? ')' : ']');
        return filter;
      } catch (second) {
        // Of the two readings, the one that came further is the one that was meant.
        if (!(second instanceof FilterError)) throw second;
        throw (first.offset ?? 0) > (second.offset ?? 0) ? first : second;
      }
    }
  }

  #comparison(): Filter {
    const left = this.expression();
    const token = this.#token;
    if (token.kind === 'symbol') {
      const operator = COMPARISONS[token.text];
      if (operator !== undefined) {
        this.#advance();
        return { kind: 'comparison', operator, left, right: this.expression(), matchCase: true };
      }
    }
    if (this.#takeWord('IS')) {
      const negated = this.#takeWord('NOT');
      if (!this.#takeWord('NULL')) throw this.#unexpected('NULL');
      return not(negated, { kind: 'null', value: left });
    }
    const negated = this.#takeWord('NOT');
    if (this.#takeWord('LIKE')) return not(negated, this.#like(left, true));
    if (this.#takeWord('ILIKE')) return not(negated, this.#like(left, false));
    if (this.#takeWord('BETWEEN')) {
      const lower = this.expression();
      if (!this.#takeWord('AND')) throw this.#unexpected('AND');
      return not(negated, { kind: 'between', value: left, lower, upper: this.expression() });
    }
    if (this.#takeWord('IN')) {
      const filters = this.#list(() => this.expression()).map(
        (right): Filter => ({ kind: 'comparison', operator: '=', left, right, matchCase: true }),
      );
      return not(negated, filters.length === 1 ? filters[0]! : { kind: 'or', filters });
    }
    if (!negated) {
      const temporal = this.#temporal(left);
      if (temporal !== undefined) return temporal;
    }
    throw this.#unexpected('a comparison (=, <>, <, >, LIKE, IN, BETWEEN, IS NULL, ...)');
  }

  #like(value: Expression, matchCase: boolean): Filter {
    const token = this.#token;
    if (token.kind !== 'string') throw this.#unexpected('a pattern in quotes');
    this.#advance();
    return { kind: 'like', value, pattern: token.text, wildcard: '%', single: '_', escape: '\\', matchCase };
  }

  #ids(): Filter {
    this.#advance();
    const ids = this.#list(() => {
      const token = this.#token;
      if (token.kind !== 'string' && token.kind !== 'number') throw this.#unexpected('an id');
      this.#advance();
      return token.text;
    });
    return { kind: 'ids', ids };
  }

  #spatial(operator: SpatialOperator): Filter {
    this.#advance();
    this.#expect('(');
    const left = this.expression();
    this.#expect(',');
    const right = this.expression();
    this.#expect(')');
    return { kind: 'spatial', operator, left, right };
  }

  #bbox(): Filter {
    this.#advance();
    this.#expect('(');
    const value = this.expression();
    this.#expect(',');
    const numbers: number[] = [];
    for (let i = 0; i < 4; i++) {
      if (i > 0) this.#expect(',');
      numbers.push(this.#number());
    }
    let crs: string | undefined;
    if (this.#takeSymbol(',')) {
      const token = this.#token;
      if (token.kind !== 'string') throw this.#unexpected("the name of a CRS, such as 'EPSG:4326'");
      crs = token.text;
      this.#advance();
    }
    this.#expect(')');
    const box = numbers as [number, number, number, number];
    return { kind: 'bbox', value, box, ...(crs === undefined ? {} : { crs }) };
  }

  #distance(operator: 'dwithin' | 'beyond'): Filter {
    this.#advance();
    this.#expect('(');
    const left = this.expression();
    this.#expect(',');
    const right = this.expression();
    this.#expect(',');
    const distance = this.#number();
    this.#expect(',');
    let units = '';
    while (this.#token.kind === 'word' || this.#token.kind === 'string') {
      units = units === '' ? this.#token.text : `${units} ${this.#token.text}`;
      this.#advance();
    }
    if (units === '') throw this.#unexpected('units, such as meters');
    this.#expect(')');
    return { kind: 'distance', operator, left, right, distance, units };
  }

  #relate(): Filter {
    this.#advance();
    this.#expect('(');
    const left = this.expression();
    this.#expect(',');
    const right = this.expression();
    this.#expect(',');
    const token = this.#token;
    const pattern = token.text.toUpperCase();
    if (!/^[TF*012]{9}$/.test(pattern)) throw this.#unexpected('a DE-9IM pattern of nine characters');
    this.#advance();
    this.#expect(')');
    return { kind: 'relate', left, right, pattern };
  }

  // ---- time

  #temporal(value: Expression): Filter | undefined {
    const word = this.#token.kind === 'word' ? this.#token.text.toUpperCase() : '';
    const operator = ({ BEFORE: 'before', AFTER: 'after', DURING: 'during', TEQUALS: 'tEquals' } as const)[word];
    if (operator === undefined) return undefined;
    this.#advance();
    let second: TemporalOperator | undefined;
    if (this.#takeWord('OR')) {
      if (operator === 'before' && this.#takeWord('DURING')) second = 'during';
      else if (operator === 'during' && this.#takeWord('AFTER')) second = 'after';
      else throw this.#unexpected(operator === 'before' ? 'DURING' : 'AFTER');
    }
    const { begin, end } = this.#period();
    const filter: Filter = { kind: 'temporal', operator, value, begin, end };
    if (second === undefined) return filter;
    return { kind: 'or', filters: [filter, { kind: 'temporal', operator: second, value, begin, end }] };
  }

  #period(): { begin: Date; end: Date } {
    const start = this.#token;
    const first = this.#timeOrDuration();
    if (!this.#takeSymbol('/')) {
      if (typeof first === 'string') throw this.#unexpected('/');
      return { begin: first, end: first };
    }
    const second = this.#timeOrDuration();
    if (typeof first === 'string') {
      if (typeof second === 'string')
        throw new FilterError(`a period needs a time at character ${start.at + 1}`, start.at);
      return { begin: addDuration(second, first, -1), end: second };
    }
    return { begin: first, end: typeof second === 'string' ? addDuration(first, second, 1) : second };
  }

  #timeOrDuration(): Date | string {
    const token = this.#token;
    if (token.kind === 'duration') {
      this.#advance();
      return token.text;
    }
    const date = token.kind === 'date' || token.kind === 'string' ? toDate(token.text) : undefined;
    if (date === undefined) throw this.#unexpected('a time, such as 2020-01-31T12:00:00Z');
    this.#advance();
    return date;
  }

  // ---- expressions

  expression(): Expression {
    return this.#nested(() => {
      let left = this.#term();
      for (;;) {
        const operator = this.#token.kind === 'symbol' ? this.#token.text : '';
        if (operator !== '+' && operator !== '-') return left;
        this.#advance();
        left = { kind: 'arithmetic', operator, left, right: this.#term() };
      }
    });
  }

  #term(): Expression {
    let left = this.#factor();
    for (;;) {
      const operator = this.#token.kind === 'symbol' ? this.#token.text : '';
      if (operator !== '*' && operator !== '/') return left;
      this.#advance();
      left = { kind: 'arithmetic', operator, left, right: this.#factor() };
    }
  }

  #factor(): Expression {
    const token = this.#token;
    switch (token.kind) {
      case 'number':
        this.#advance();
        return { kind: 'literal', value: numberOf(token.text) };
      case 'string':
        this.#advance();
        return { kind: 'literal', value: token.text };
      case 'date': {
        const value = toDate(token.text);
        if (value === undefined) throw this.#unexpected('a date that exists');
        this.#advance();
        return { kind: 'literal', value };
      }
      case 'word':
      case 'duration':
        return this.#wordFactor(token);
      case 'symbol':
        if (token.text === '-' || token.text === '+') {
          this.#advance();
          const operand = this.#nested(() => this.#factor());
          if (token.text === '+') return operand;
          if (operand.kind === 'literal' && typeof operand.value === 'number')
            return { kind: 'literal', value: -operand.value };
          return { kind: 'arithmetic', operator: '-', left: { kind: 'literal', value: 0 }, right: operand };
        }
        if (token.text === '(' || token.text === '[') {
          this.#advance();
          const inner = this.expression();
          this.#expect(token.text === '(' ? ')' : ']');
          return inner;
        }
    }
    throw this.#unexpected('an attribute, a value or a function');
  }

  #wordFactor(token: Token): Expression {
    if (startsWkt(this.#text, token.at) && !(token.kind === 'word' && token.quoted)) {
      const { geometry, crs, end } = parseWkt(this.#text, token.at);
      this.#seek(end);
      return { kind: 'geometry', geometry, ...(crs === undefined ? {} : { crs }) };
    }
    const quoted = token.kind === 'word' && token.quoted;
    const upper = token.text.toUpperCase();
    if (!quoted && RESERVED.has(upper)) throw this.#unexpected('an attribute, a value or a function');
    this.#advance();
    if (!quoted && this.#token.kind === 'symbol' && this.#token.text === '(') {
      const args = this.#list(() => this.expression(), true);
      return { kind: 'function', name: token.text, arguments: args };
    }
    if (!quoted && (upper === 'TRUE' || upper === 'FALSE')) return { kind: 'literal', value: upper === 'TRUE' };
    return { kind: 'property', name: token.text };
  }

  #number(): number {
    const sign = this.#takeSymbol('-') ? -1 : 1;
    const token = this.#token;
    if (token.kind !== 'number') throw this.#unexpected('a number');
    this.#advance();
    return sign * Number(token.text);
  }

  // ---- tokens

  #list<T>(item: () => T, mayBeEmpty = false): T[] {
    this.#expect('(');
    const items: T[] = [];
    if (mayBeEmpty && this.#takeSymbol(')')) return items;
    items.push(item());
    while (this.#takeSymbol(',')) items.push(item());
    this.#expect(')');
    return items;
  }

  #nested<T>(parse: () => T): T {
    if (++this.#depth > CQL_LIMITS.depthMax)
      throw new FilterError(
        `nested deeper than ${CQL_LIMITS.depthMax} levels at character ${this.#token.at + 1}`,
        this.#token.at,
      );
    const result = parse();
    this.#depth--;
    return result;
  }

  #advance(): void {
    this.#seek(this.#next);
  }

  #seek(offset: number): void {
    const { token, end } = tokenAt(this.#text, offset);
    this.#token = token;
    this.#next = end;
  }

  #afterSpace(): number {
    let at = this.#next;
    while (/\s/.test(this.#text[at] ?? '')) at++;
    return at;
  }

  #takeWord(word: string): boolean {
    if (this.#token.kind !== 'word' || this.#token.quoted || this.#token.text.toUpperCase() !== word) return false;
    this.#advance();
    return true;
  }

  #takeSymbol(symbol: string): boolean {
    if (this.#token.kind !== 'symbol' || this.#token.text !== symbol) return false;
    this.#advance();
    return true;
  }

  #expect(symbol: string): void {
    if (!this.#takeSymbol(symbol)) throw this.#unexpected(`'${symbol}'`);
  }

  #unexpected(expected: string): FilterError {
    const { kind, text, at } = this.#token;
    const found = kind === 'end' ? 'the text ends' : `'${text.slice(0, 40)}' was found`;
    return new FilterError(`${expected} is expected, but ${found} at character ${at + 1}`, at);
  }
}

function not(negated: boolean, filter: Filter): Filter {
  return negated ? { kind: 'not', filter } : filter;
}

/** Whole numbers beyond 2^53 keep all their digits. */
function numberOf(text: string): number | bigint {
  const value = Number(text);
  return /^\d+$/.test(text) && !Number.isSafeInteger(value) ? BigInt(text) : value;
}

function addDuration(date: Date, duration: string, sign: 1 | -1): Date {
  const part = (pattern: RegExp, text: string) => sign * Number(pattern.exec(text)?.[1] ?? 0);
  const [days = '', time = ''] = duration.split('T');
  const result = new Date(date);
  result.setUTCFullYear(result.getUTCFullYear() + part(/(\d+)Y/, days));
  result.setUTCMonth(result.getUTCMonth() + part(/(\d+)M/, days));
  result.setUTCDate(result.getUTCDate() + part(/(\d+)D/, days) + 7 * part(/(\d+)W/, days));
  const seconds = part(/(\d+)H/, time) * 3600 + part(/(\d+)M/, time) * 60 + part(/([\d.]+)S/, time);
  return new Date(result.getTime() + seconds * 1000);
}
