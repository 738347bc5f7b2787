"""Small templates, one a construct; make_chat.py writes what jinja2 makes of each."""

# Expressions, printed one by one.
EXPRESSIONS = r"""
1 + 2 * 3 - 4
7 // 2 ~ ' ' ~ -7 // 2 ~ ' ' ~ 7 % 3 ~ ' ' ~ -7 % 3
7 / 2
8 / 2
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
1.5 + 1
1e3
1e16
1.5e-7
0.1 + 0.2
10 / 3
1_000 + 1
true and false or true
not true or true
1 < 2 < 3
1 < 3 < 2
1 == 1.0
true == 1
'a' == 'a' and 'a' != 'b'
'a' in 'cat'
'x' not in 'cat'
'role' in messages[0]
'x' in ['x', 'y']
3 in (1, 2, 3)
missing
missing is defined
missing is not defined
missing == none
missing ~ 'x'
missing or 'other'
missing | default('d')
missing | d
'' | default('d')
'' | default('d', true)
none
none is none
none | default('d')
none ~ ''
true ~ false
[1, 'a', 2.0, none, true]
['it\'s', "say \"x\"", 'both \' and "', 'tab\t', 'é\u00a0\u200b']
(1,)
(1, 2)
()
[]
{}
{'a': 1, 'b': [2, {'c': none}]}
{'a': 1}['a']
{'a': 1}.a
{'a': 1}.b
{'a': 1}.get('b', 'none there')
{'a': 1}.get('b')
{'a': 1, 'b': 2}.items() | list
{'a': 1, 'b': 2}.keys() | list
{'a': 1, 'b': 2}.values() | list
{'a': 1, 'b': 2} | items | list
{'a': 1, 'b': 2} | length
{'a': 1, 'a': 2}
messages[0].role
messages[0]['role']
messages[-1]['role']
messages[99]
messages | length
messages[1:] | length
messages[:-1] | length
messages[::-1][0].role
messages[::2] | length
'abcdef'[1:4]
'abcdef'[-3:]
'abcdef'[::-1]
'abcdef'[::2]
'abcdef'[4:1:-1]
'abcdef'[10:]
'abcdef'[-100:2]
'abcdef'[5:-10:-2]
'aé中😀z'[1:4]
'aé中😀z'[2]
'aé中😀z' | length
'aé中😀z' | reverse
[1, 2, 3] | reverse | list
'abc'[7]
'  x ' | trim
'--x-' | trim('-')
'  x '.strip() ~ '|' ~ '  x '.lstrip() ~ '|' ~ '  x '.rstrip() ~ '|'
'xxabxx'.strip('x') ~ 'xyz'.rstrip('zy') ~ 'xyz'.lstrip('x')
'\u00a0\u3000\u2003a\u1680' | trim
'\x1ca\x1f' | trim | length
'\u200ba' | trim | length
'a,b,,c'.split(',')
'a,b,,c'.split(',', 1)
' a  b c '.split()
' a  b c '.split(none, 1)
'a,b,,c'.rsplit(',', 1)
' a  b c '.rsplit(none, 1)
'a<x>b<x>c'.split('<x>')[-1]
'one\ntwo\r\nthree'.splitlines()
'one\ntwo'.splitlines(true)
'abc'.startswith('ab') and 'abc'.endswith('bc') and not 'abc'.startswith('x')
'abc'.startswith(('x', 'a'))
'aXbX'.replace('X', '--')
'aXbX'.replace('X', '--', 1)
'abc'.replace('', '.')
'aXbX' | replace('X', '--')
'aXbX' | replace('X', '--', 1)
'abc' | replace('', '.')
'abc'.find('c') ~ 'abc'.find('x')
'éabc'.find('c')
'banana'.count('an') ~ 'abc'.count('')
'Hello World' | upper ~ ('Hello World' | lower)
'hELLO wORLD' | capitalize
'hello wORLD-and (more) [x]' | title
'straße éà' | upper
'ÀÉ' | lower
'x'.upper() ~ 'Y'.lower() ~ 'hello'.capitalize()
', '.join(['a', 'b'])
['a', 1, none] | join
['a', 1, true] | join(', ')
messages | map(attribute='role') | join(',')
messages | map(attribute='nope', default='-') | join(',')
['a', 'b'] | map('upper') | join
['a', 'b'] | map('replace', 'a', 'x') | list
messages | selectattr('role', 'equalto', 'user') | list | length
messages | selectattr('role', 'in', ['user', 'system']) | list | length
messages | rejectattr('role', 'equalto', 'user') | map(attribute='role') | list
messages | selectattr('nope') | list
messages | selectattr('nope', 'defined') | list
[1, 0, 2, none] | select | list
[1, 2, 3, 4] | select('odd') | list
[1, 2, 3, 4] | reject('divisibleby', 2) | list
[1, 2] | first ~ [1, 2] | last
[] | first
[] | last
'abc' | first
'abc' | list
{'a': 1} | list
['b', 'a', 'B', 'b'] | unique | list
'12' | int + 1
'x' | int
'x' | int(7)
'3.9' | int
3.9 | int
'2.5' | float
'x' | float
5 | string ~ '!'
-3 | abs
(-3) | abs
{'a': "x'\"\\\n\u2028é<>&", 'b': [1, 2.0, true, none]} | tojson
{'a': [1, {'b': 2}], 'c': {}, 'd': []} | tojson(indent=4)
{'a': [1, 2]} | tojson(indent=0)
{'b': 1, 'a': 2} | tojson(sort_keys=true)
{'b': 1, 'a': 2} | tojson(separators=(',', ':'))
'é😀' | tojson(ensure_ascii=true)
'\x7f\x1f\b\f' | tojson
'a' | tojson
1.0 | tojson
messages[0] | tojson
'one\ntwo\n\nthree' | indent
'one\ntwo\n\nthree' | indent(2, true)
'one\ntwo\n\nthree' | indent(2, first=true, blank=true)
'one\n' | indent('> ')
'a' is string and 1 is number and 1 is integer and 1.0 is float and true is boolean
true is number ~ true is integer ~ 1 is boolean
{} is mapping and [] is not mapping and [] is sequence and 'x' is sequence and {} is iterable
messages is iterable and 5 is not iterable
none is string
missing is string
missing is iterable
true is true and false is false and 1 is not true
3 is odd and 4 is even and 9 is divisibleby 3
3 is eq 3 and 3 is ne 4 and 3 is gt 2 and 3 is le 3
'a' is in ['a'] and 'b' is not in ['a']
'abc' is lower and 'ABC' is upper and 'aBc' is not lower
1 is sameas 1 and 1 is not sameas true
range is callable and 'x' is not callable
'yes' if 1 > 2 else 'no'
'yes' if 1 < 2
'yes' if 1 > 2
'a' if false else 'b' if false else 'c'
('x' if true else 'y') ~ 'z'
'a' 'b' "c"
'a' + 'b' ~ 1 + 2
1 ~ 2 + 3
'-' * 5
3 * 'ab'
[0] * 3
[1] + [2, 3]
(1,) + (2,)
range(3) | list
range(1, 7, 2) | list
range(5, 0, -2) | list
dict(a=1, b='x')
'tab\there\\ \'q\' \"d\" \x41 \u00e9 \101 \q'
strftime_now('%d %b %Y') ~ strftime_now(' %Y-%m-%d %B %a %A %%')
bos_token + eos_token
tools is none
documents
add_generation_prompt
1, 2
'a' | upper | lower | trim | length
-'5' | int
(1 + 2) | string | length
not missing is defined
2 is defined and 3 or 4
[[1, 2], [3]][0][1]
{'a': {'b': 'c'}}.a['b']
[1, 2, 3].0
'x' in missing
missing | length
missing | list
missing | join(',')
missing | upper
missing | trim ~ '|'
'abc' < 'abd' and 'Z' < 'a' and 'a' < 'é'
1 < 1.5 and not 2 < 1.5
[1, 2] == [1, 2] and [1] != [2] and {'a': 1} == {'a': 1.0} and (1,) != [1]
none == false
'\n' ~ 'x' | trim
"{{ not a tag }}"
'%}'
{'a':1}|length}}{{ {'b': {'c': 2}}['b']['c']
missing.attribute
missing['x']
missing()
missing + 1
missing < 1
none + 'x'
1 + 'x'
'x' + 1
1 < 'x'
5 | length
5[0]
5.0.x
none.x
[1, 2] | join(1)
'x'()
1 // 0
1 % 0
for in x
1 +
raise_exception('no ' ~ 'way')
messages[0].nope.deeper
'abc' is nosuchtest
'abc' | nosuchfilter
namespace(a=1).a
namespace(a=1).b is defined
5 is in 5
[3, 1] | tojson(indent=2)
{} | tojson(indent=2)
[[], {}] | tojson(indent=1)
"a\nb" | replace("\n", "\\n")
9223372036854775807
""".strip().split("\n")

# Whole templates.
TEMPLATES = [
    "a\n{% if true %}\nb\n{% endif %}\nc\n",
    "a\n  {% if true %}  \n  b\n  {% endif %}\nc",
    "a {%- if true -%} b {%- endif -%} c",
    "a\n\n{%- if true %}\n\nb{% endif +%}\nc",
    "a\n  {%+ if true %}b{% endif %}\n",
    "{{ 'a' }}\n{{ 'b' }}\n",
    "{{ 'a' -}}\n  {{- 'b' }}\n\n",
    "  {{ 'a' }}  {# note #}\n  {# note -#}  \n b {#- note #}c",
    "x\n   {# a comment line #}\ny",
    "{#-#}a{#- -#} b",
    "{% raw %}{{ x }} {% if %}{% endraw %}!",
    "  {%- raw -%}  {{ x }}\n  {% endraw %}\n!",
    "\r\na\rb\r\n{% if 1 %}\r\nc{% endif %}\r\n",
    "\n\n",
    "\n",
    "",
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}",
    "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% set ns = namespace(n=0, s='') %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% set ns.s = ns.s ~ m.role[0] %}{% endfor %}{{ ns.n }}{{ ns.s }}",
    "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}",
    "{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined else '^' }}>{{ loop.nextitem.role if not loop.last }} {% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}",
    "{% for i in [1, 2, 3, 4] if i is even %}{{ loop.index }}:{{ i }}/{{ loop.length }} {% endfor %}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }} {% endfor %}",
    "{% for key, value in {'x': 1, 'y': 2}.items() %}{{ key }}={{ value }}{{ ',' if not loop.last }}{% endfor %}",
    "{% for key in {'x': 1} %}{{ key }}{% endfor %}{% for c in 'aé' %}[{{ c }}]{% endfor %}",
    "{% for i in range(3) %}{% for j in range(2) %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in missing %}x{% else %}empty{% endfor %}",
    "{% for i in 1, 2 %}{{ i }}{% endfor %}",
    "{% for (a, b) in [[1, 2]] %}{{ a }}{{ b }}{% endfor %}",
    "{% for i in [1] %}{% endfor %}{{ i is defined }}{{ loop is defined }}",
    "{% for i in 5 %}{% endfor %}",
    "{% for a, b in [[1]] %}{% endfor %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% set t %}<{{ 1 + 1 }}>{% endset %}{{ t ~ t | length }}",
    "{% macro hello(name, mark='!') %}Hello {{ name }}{{ mark }}{% endmacro %}{{ hello('a') }}{{ hello('b', '?') }}{{ hello(mark='.', name='c') }}",
    "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}",
    "{% macro m(a) %}{% if a > 0 %}{{ a }}{{ m(a - 1) }}{% endif %}{% endmacro %}{{ m(3) }}",
    "{% set x = 'outer' %}{% macro m() %}{{ x }}{% set x = 'inner' %}{{ x }}{% endmacro %}{{ m() }}{{ x }}",
    "{% set y = 1 %}{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}",
    "{% macro m() %}x{% endmacro %}{{ m(1) }}",
    "{% if 0 %}a{% elif '' %}b{% elif [0] %}c{% else %}d{% endif %}",
    "{% if missing %}a{% else %}b{% endif %}{% if messages %}c{% endif %}{% if none %}{% else %}d{% endif %}",
    "{% if 1, %}tuple{% endif %}",
    "{% generation %}{{ 'answer' }}{% endgeneration %}",
    "{% set ns = namespace() %}{% set ns.a = [1] %}{% set ns.a = ns.a + [2] %}{{ ns.a }}{{ ns.b is defined }}",
    "{% set d = {'a': 1} %}{% set d.a = 2 %}",
    "{% set x %}{% for i in range(3) %}{{ i }}{% endfor %}{% endset %}{{ x }}",
    "{%if true%}x{%endif%}{%- if true -%}y{%- endif -%}",
    "{% if true %}{{ '  a' }}\n  {% endif %}  b",
    "{{ messages[0].content }}{{ messages[0].content | trim }}",
    "{%- for m in messages -%}\n  {{- m.role -}}\n{%- endfor -%}",
    "{{ 'a\nb' }}{{ 'c\\nd' }}",
    "{% if true %}\n\n  x\n\n{% endif %}\n\n",
    "\t {% if true %}\t\n x {% endif %} \t\n",
    "é {%- if true %} ü{% endif %}\u00a0{% if true -%} \u3000x{% endif %}",
    "{{ '{%' }}{{ '}}' }}{{ \"'\" }}",
    "{ {{ 1 }} } {x} {",
    "{{ 1",
    "{% if true %}",
    "{% endif %}",
    "{% for x in y %}{% endif %}",
    "{{ (1 }}",
    "{{ 1) }}",
    "{{ 'abc }}",
    "{# no end",
    "{% raw %} no end",
    "{% break %}",
    "{{ 1 if }}",
    "{{ a b }}",
    "{{ f(a=1, 2) }}",
    "{{ @ }}",
]

SNIPPETS = ["{{ " + expression + " }}" for expression in EXPRESSIONS] + TEMPLATES
