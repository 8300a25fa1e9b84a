"""The English words and frames, by shape: read `english.py` first, it says how they are put together.

In a frame `{m}` is the measure, `{dim}` and `{dims}` the group, `{f}` the filters not said yet, `{a}` a filter as an
adjective, `{who}` a filter as the acting customers, `{things}` the goods; `[a|b|]` is a choice.
"""

from __future__ import annotations

# fmt: off
ASK = "[what is|what's|what was|what were|what are|show|show me|give me|tell me|find|calculate|get|list|display|report|i need|i want|||||]"
SHOW = "[show|show me|list|give me|display|get|find|print|return|i need|i want|i want to see|let me see|tell me|||||]"
WHICH = "[which|what]"
CUSTOMERS = "[customers|customers|customers|clients|buyers|shoppers|people|accounts]"
PRODUCTS = "[products|products|items|articles|goods]"
ORDERS = "[orders|orders|orders|purchases]"
HAVE = "[do we have|are there|have we got|do we have in total|exist|]"

NOUNS = {
    "revenue": [
        "[total||overall|] {a} [revenue|revenue|sales|turnover|income|sales revenue|sales total|sales value|earnings|takings]",
        "[total|] {a} [revenue|sales]",
        "[revenue|sales|turnover|income] [from|of] {a} [orders|purchases]",
        "[total value|value|total amount] of {a} [orders|sales]",
        "[amount of money|money] [earned|made|taken|spent|received|we took in]",
        "[gross|total|combined|overall] [sales|revenue|turnover|takings|order value]",
        "[sales|revenue] [figure|figures|number|amount]",
        "[money|amount] [customers|people|they] spent",
        "total [spend|spending|amount spent]",
        "sum of [sales|revenue|all sales]",
    ],
    "units": [
        "[number of|total|total number of|] {a} [units|items|pieces] [sold|sold|ordered]",
        "[total|] [quantity|quantities] [sold|ordered]",
        "[sales volume|volume sold|units|unit sales]",
        "[how many|number of] [pieces|units|items] we sold",
        "[units|items|pieces|quantity] [moved|shipped out|sold in total|purchased]",
        "[number|count] of {a} [units|items|pieces] sold",
    ],
    "orders": [
        "[number|total number|count] of {a} [orders|orders|purchases]",
        "{a} [order count|orders|orders count|order volume|orders placed]",
        "{a} [orders|purchases]",
        "[how many {a} orders there were|how many {a} orders were placed|the amount of {a} orders|{a} order numbers]",
    ],
    "buyers": [
        "number of [different|distinct|unique] {a} [customers who ordered|buyers|customers who bought something|customers with orders]",
        "[number of|] [active|ordering|buying|unique|distinct] {a} [customers|clients|buyers]",
        "[number of|count of] {a} [buyers|customers with at least one order|customers who placed an order]",
    ],
    "customers": [
        "[number|total number|count] of {a} [customers|customers|clients|accounts]",
        "{a} [customer count|customers|client count|clients]",
    ],
    "products": [
        "[number|total number|count] of {a} [products|products|items|articles]",
        "{a} [product count|products]",
    ],
    "order_value": [
        "[average|avg|mean|typical] {a} [order value|order value|basket value|order size|basket size|order amount|order total|value per order]",
        "[average|avg|mean] [value|amount|total] [of an|per|of a single|of our|of] {a} [order|orders|purchase]",
        "AOV",
        "[average|mean|typical] [basket|cart|ticket|order spend|spend per order|purchase value|order worth]",
        "[revenue|sales|spend] per order",
    ],
    "average_price": ["[average|avg|mean] {a} [price|product price|list price|item price]", "[average|avg|mean] price of {a} [products|items|our products]"],
    "charged_price": ["[average|avg|mean] [unit price|price actually charged|price charged|price paid|selling price|sale price|sold price|unit price charged|price we charged|price per unit sold]",
                      "[average|mean] [unit price|selling price|price paid] [on order lines|across order lines|in order lines|in orders|]"],
    "lowest_price": ["[lowest|minimum|min|smallest|cheapest] {a} [price|product price]", "[lowest|minimum] price of {a} [products|items]"],
    "highest_price": ["[highest|maximum|max|top|biggest] {a} [price|product price]", "[highest|maximum] price of {a} [products|items]"],
    "average_quantity": [
        "[average|avg|mean] [quantity|number of units|number of pieces] [per order line|per line|per line item|per order item|per position|]",
        "[average|mean] quantity [ordered|sold|per order line]",
    ],
    "items_per_order": [
        "[average|mean|avg] number of [items|units|pieces] [per|in an|in each] {a} order",
        "[items|units|pieces] per {a} order",
        "[average|avg] [basket size in units|items per order|order size in units|units per order]",
    ],
    "revenue_per_buyer": [
        "[average|avg|mean] [revenue|spend|sales|spending] per [buying customer|customer|buyer|client]",
        "[revenue|sales|spend] per [customer|buyer|client|customer who ordered]",
        "[average|mean] [customer spend|spending of a customer|amount spent per customer]",
    ],
    "orders_per_buyer": ["[average|avg|mean] number of orders per [customer|buyer|client]", "orders per [customer|buyer] [on average|]"],
    "products_sold": [
        "number of [different|distinct|unique] products [sold|ordered|bought]",
        "[distinct|different|unique] products [sold|ordered]",
    ],
    "lines": ["number of order [lines|line items|items rows|positions]", "order line count", "count of order [lines|items]"],
    "cities": ["number of [different|distinct|] [customer|] cities", "[distinct|unique] city count"],
    "countries": ["number of [different|distinct|] [customer|] countries", "country count"],
    "categories": ["number of [different|distinct|] [product|] categories", "category count"],
    "first_order": ["[date of the|] [first|earliest|oldest|very first] {a} [order|order date|purchase]", "[first|earliest] {a} order date"],
    "last_order": [
        "[date of the|] [last|latest|most recent|newest] {a} [order|order date|purchase]",
        "[last|latest|most recent] {a} order date",
    ],
    "first_signup": ["[date of the|] [first|earliest|oldest] [signup|sign-up|registration|signup date]"],
    "last_signup": ["[date of the|] [last|latest|most recent|newest] [signup|sign-up|registration|signup date]"],
}  # fmt: skip

QUESTIONS = {
    "revenue": [
        "how much [money|revenue|income|] did we [make|earn|take in|bring in|generate|get] {f}",
        "how much [revenue|turnover|money] [was made|was generated|came|did we see] {f}",
        "how much did [customers|people|clients|our customers] spend [in total|altogether|with us|] {f}",
        "how much [money|] [did|have] {who} [spend|spent] [with us|in total|altogether|so far|] {f}",
        "what did {who} spend [on {things}|with us|in total|altogether|] {f}",
        "how much did {who} spend [on {things}|] {f}",
        "how much [money|revenue] did [we make on|we make with|we earn with|we get from|we earn from] {things} {f}",
        "how much [revenue|money|turnover] did {things} [bring in|generate|make|bring|earn] {f}",
        "how much [revenue|money|] [comes|came|do we get|did we get] from {who} {f}",
        "how much {things} did we sell [in money|by value|in revenue terms] {f}",
        "[what is|show|] [revenue|sales|turnover|income|the total sales|total revenue] [from|of|for|with] {things} {f}",
        "[sales|revenue|turnover|income|total revenue|total sales] [of|for|with|from] {things} {f}",
        "what [have|did] [we|the shop] [earned|earn|made|make] {f}",
        "how much [was|were] [sold|our sales|our revenue|our turnover|the takings] {f}",
        "how much [in sales|in revenue|in total|] did we [do|make|record|book|turn over|pull in|collect] {f}",
        "how much have we [made|earned|sold|taken in|brought in|turned over] {f}",
        "[what was|what is|what's] the [combined|total|overall] [value|worth] of [all|] {a} orders {f}",
        "how much [money|revenue|] did {who} [bring in|bring us|generate|leave with us|pay us|account for] {f}",
        "[spend|total spend|spending|amount spent] [by|of] {who} {f}",
        "[how much|what] did we [sell|invoice|earn] [to|with] {who} [for|] {f}",
        "how much [revenue|money] [has|have] {things} [made|generated|brought in|earned] {f}",
        "how much was spent on {things} {f}",
        "how much [do|did] [customers|people] spend on {things} {f}",
        "what are {a} orders worth [in total|altogether|] {f}",
    ],
    "units": [
        "how many [units|items|pieces|products|things] [did we sell|were sold|have we sold|were ordered|did we ship out] {f}",
        "how many {things} [did we sell|were sold|have we sold|have been sold|were ordered|did customers buy|did we ship out] {f}",
        "how many [units|pieces] of {things} [did we sell|were sold|have we sold|were ordered] {f}",
        "how many {things} [did|have] {who} [buy|bought|order|ordered] {f}",
        "how many [items|units|products|pieces] did {who} [buy|order|purchase] {f}",
        "[number of|total|] {things} [sold|ordered|units sold|pieces sold] {f}",
        "[units|quantity|number of units] of {things} [sold|ordered|] {f}",
        "what quantity of {things} [did we sell|was sold|was ordered] {f}",
        "total [quantity|units] [sold|ordered|of {things}] {f}",
        "how many {things} [went out|went over the counter|left the shop|changed hands|have been bought|did people order|were bought|were purchased] {f}",
        "how many [units|items|pieces|products] [went out|left the warehouse|were bought|were purchased|did customers order|did we move] {f}",
    ],
    "orders": [
        f"how many {{a}} {ORDERS} [were placed|were made|were there|did we get|did we receive|came in|do we have|are there|have we had|have been placed] {{f}}",
        "how many {a} orders {f}",
        f"how many {{a}} {ORDERS} did {{who}} [place|make|have|submit] {{f}}",
        "how many {a} orders [has|have] {who} [placed|made|got] {f}",
        "how many orders [came|come|did we get] from {who} {f}",
        "how many times [did|has] {who} [order|ordered] {f}",
        "how many {a} orders [contain|contained|include|included|have] [a|at least one|any|] {thing} {f}",
        "how many {a} orders [contain|include|with|for] {things} {f}",
        "in how many {a} orders [do|did] {things} [appear|occur|show up] {f}",
        "how often [was|were] {things} ordered {f}",
        "[count|count the|count all] {a} orders {f}",
        "how many {a} order[s|] [was|were] [made|placed|taken] {f}",
        "how many {a} [orders|purchases] [were taken|were processed|were recorded|were booked|have we received|did customers place|do we see|exist|were received|have come in|were submitted] {f}",
        "how many orders by {who} [are|were|have been] {status} {f}",
        "[what is|what's] the [number|count|total number] of {a} orders [placed|made|received|] {f}",
        "how many {a} orders [belong to|are from|were from|are by] {who} {f}",
        "{a} orders {f} - how many [are there|were there|]",
        "how many of [the|our] orders [are|were] {status} {f}",
        "how many orders [are|were|got|have been|are still] {status} {f}",
    ],
    "buyers": [
        "how many [different|distinct|unique|] {a} [customers|clients|people|buyers] [bought something|ordered|placed an order|made a purchase|bought from us|placed at least one order|ordered something|purchased anything] {f}",
        "how many [different|distinct|unique|] {a} [customers|people|clients] [bought|ordered|purchased|have bought|have ordered] {things} {f}",
        "how many [different|distinct|unique] {a} buyers [did we have|were there|are there] {f}",
        "how many [different|distinct|unique|] [customers|clients|people] {pf} [bought something|ordered|placed an order|made a purchase|bought from us|placed at least one order] {f}",
        "how many [different|distinct|unique|] [customers|people|clients] {pf} [bought|ordered|purchased|have bought] {things} {f}",
        "how many of our {a} [customers|clients] [ordered|bought something|placed an order|have at least one order] {f}",
        "how many {a} [customers|clients] [with|have] at least one order [do we have|] {f}",
        "count [distinct|unique|the different] {a} [buyers|customers who ordered|customers with an order] {f}",
    ],
    "customers": [
        f"how many {{a}} [customers|customers|clients|accounts|people] {HAVE} {{f}}",
        "how many {a} [customers|clients] [live|are located|are based|are registered|come from] {f}",
        "how many of our [customers|clients] are {f}",
        "count [the|our|all|] {a} [customers|clients] {f}",
        "how many [new|] [customers|people|clients|users] [signed up|registered|joined|joined us] {signup} {f}",
        "[number of|how many|] [new customers|signups|sign-ups|registrations|new clients] {signup} {f}",
        "how many [new customers|signups|new accounts] did we [get|have|gain] {signup} {f}",
        "how big is our customer base {f}",
        "how many [customers|people|clients|accounts] [are in our database|are on file|are in the system|are listed|are registered with us|do we serve|have signed up] {f}",
        "how many {a} [customers|clients] are there [altogether|in total|in the database] {f}",
        "how many [of our|] [customers|clients|people] [signed up|registered|joined|became customers|created an account] {signup} {f}",
        "how many [signups|sign-ups|registrations|new customers] [were there|happened|came] {signup} {f}",
    ],
    "products": [
        "how many {a} [products|items|articles] [are on sale|are listed|are on offer|can customers buy|are in our range|are in the shop|are available] {f}",
        "how many {a} [products|items|articles|different products] [do we sell|do we have|are there|do we offer|are in the catalogue|are in our catalog|do we carry|are in our range|] {f}",
        "count [the|all|our|] {a} products {f}",
        "how many products belong to {things} {f}",
        "how [big|large] is our {a} [catalogue|catalog|product range|assortment] {f}",
    ],
    "order_value": [
        "how much [is|was] [an average|the average|a typical] {a} order [worth|] {f}",
        "how much [do|did] {who} spend per order [on average|] {f}",
        "how much [do customers spend|is spent] per order [on average|] {f}",
        "what [is|was] [an|the average|a typical] {a} order worth [on average|] {f}",
    ],
    "average_price": [
        "how much [does|do] [a product|our products|products|an item] cost on average {f}",
        "what do [our|] {a} [products|items] cost on average {f}",
        "[average|mean|avg] price of {things} {f}",
    ],
    "lowest_price": ["how much is the cheapest {a} [product|item] {f}", "what does the cheapest {a} [product|item] cost {f}",
                     "[what's|what is|] the lowest price [among|of|in|for] [the|our|] {things}"],
    "highest_price": ["how much is the most expensive {a} [product|item] {f}", "what does the [most expensive|dearest] {a} [product|item] cost {f}",
                      "[what's|what is|] the highest price [among|of|in|for] [the|our|] {things}"],
    "items_per_order": ["how many [items|units|pieces] [are in an|does an|are there in an|are in the] average order [have|contain|] {f}",
                        "how many [items|units] do {who} buy per order {f}", "how many [items|units] per order [on average|do we sell|] {f}"],
    "revenue_per_buyer": ["how much [does|did] [a|an average|the average|each] [customer|buyer] spend [on average|] {f}"],
    "orders_per_buyer": ["how many orders [does|did] [a|an average|each] [customer|buyer] [place|make] on average {f}"],
    "products_sold": ["how many [different|distinct|unique] [products|items|articles] [did we sell|were sold|were ordered|did customers buy] {f}",
                      "how many [different|distinct|unique] products [did|has] {who} [buy|bought|order|ordered] {f}"],
    "lines": ["how many order [lines|items|line items] [are there|do we have|] {f}"],
    "cities": ["how many [different|distinct|] cities [do our customers come from|do we have customers in|do our customers live in|are there|do we serve] {f}",
               "in how many [different|] cities do [we have customers|our customers live] {f}"],
    "countries": ["how many [different|distinct|] countries [do our customers come from|do we have customers in|do we sell to|are there|do we serve] {f}",
                  "in how many [different|] countries do we have customers {f}"],
    "categories": ["how many [different|distinct|] [product|] categories [do we have|are there|do we sell|do we offer|exist] {f}"],
    "first_order": ["when [was|did we get|did we receive] [the|our] [first|very first|earliest|oldest] {a} order [placed|made|] {f}",
                    "when did {who} [first|] [order|buy|place an order] [for the first time|the first time] {f}",
                    "when was {things} [first|] sold for the first time {f}", "since when does {who} order [from us|] {f}"],
    "last_order": ["when [was|did we get|did we receive] [the|our] [last|latest|most recent] {a} order [placed|made|] {f}",
                   "when did {who} last [order|buy something|place an order|buy] {f}",
                   "when did {who} [order|buy|place an order] the last time {f}", "when was {things} last [sold|ordered|bought] {f}"],
    "first_signup": ["when did [our|the] [first|earliest] {a} customer [sign up|register|join] {f}"],
    "last_signup": ["when did [our|the] [last|latest|newest|most recent] {a} customer [sign up|register|join] {f}"],
}  # fmt: skip

DIM_NAMES = {
    "city": ("[city|city|customer city|town]", "cities"),
    "country": ("[country|country|customer country|market]", "[countries|countries|markets]"),
    "segment": ("[segment|customer segment|segment|market segment]", "[segments|customer segments]"),
    "category": ("[category|product category|product group]", "[categories|product categories|product groups]"),
    "product": ("[product|product|item|article]", "[products|products|items|articles]"),
    "customer": ("[customer|customer|client|buyer|person]", "[customers|customers|clients|buyers|shoppers]"),
    "status": ("[status|order status]", "[statuses|order statuses]"),
    "channel": ("[channel|sales channel|order channel]", "[channels|sales channels|order channels]"),
    "year": ("[year|year|calendar year]", "years"),
    "month": ("[month|month|calendar month]", "months"),
    "quarter": ("quarter", "quarters"),
    "weekday": ("[weekday|day of the week|day of week]", "[weekdays|days of the week]"),
    "day": ("[day|date|calendar day]", "[days|dates]"),
    "signup_year": ("[signup year|year of signup|registration year]", "[signup years]"),
    "signup_month": ("[signup month|month of signup|month of registration]", "[signup months]"),
}
TIMELY = {
    "year": ["[what was|what is|show|give me] [the|our] [yearly|annual] {m} {f}", "{m} [per|by|each|in each|for every|every] [year|calendar year] {f}", "{m} [per|by|each] year {f}", "{q} [each|every|per|in each] year {f}", "yearly {m} {f}", "annual {m} {f}", "{m} {f} year by year", "{m} trend by year {f}", "how did {m} develop over the years {f}"],
    "month": ["[what was|what is|show|give me|i need] [the|our] monthly {m} {f}", "{m} [per|by|each|in each|for every|every] [month|calendar month] {f}", "{m} [per|by|each] month {f}", "{q} [each|every|per|in each] month {f}", "monthly {m} {f}", "{m} {f} month by month", "{m} trend by month {f}", "monthly trend of {m} {f}",
              "how did {m} develop [month by month|over the months] {f}", "{m} over time by month {f}", "{m} on a monthly basis {f}"],
    "quarter": ["quarterly {m} {f}"],
    "weekday": ["{m} {f} by weekday"],
    "day": ["daily {m} {f}", "{m} {f} [per|by|for each] day", "{m} day by day {f}"],
    "signup_year": ["[customers|new customers|signups|registrations] [per|by|each] year {f}", "how many customers signed up [each|per|in each|every] year {f}",
                    "yearly [signups|registrations|new customers] {f}", "number of [signups|registrations|new customers] [per|by] year {f}"],
    "signup_month": ["[new customers|signups|registrations] [per|by|each] month {f}", "how many customers signed up [each|per|in each|every] month {f}",
                     "monthly [signups|registrations|new customers] {f}"],
}  # fmt: skip
GROUPED = [
    "{m} [by|per|for each|for every|by each] {dim} {f}",
    "{m} {f} [by|per|for each|split by|broken down by|grouped by] {dim}",
    f"{SHOW} [the|our|] {{m}} [by|per|for each|for every|of each|grouped by|broken down by|split by|across] {{dim}} {{f}}",
    f"{SHOW} [the|our|] {{m}} {{f}} [by|per|for each|grouped by|broken down by] {{dim}}",
    "[what is|what's|what was|what are|what were] the {m} [by|per|for each|of each|for every|in each] {dim} {f}",
    "[what is|what's|what was] the {m} {f} [by|per|for each|in each] {dim}",
    "for [each|every] {dim} [, show|, give me|, list|show|, what is|, what was|:|,] [the|] {m} {f}",
    "{dims} [with|and|and their|with their] {m} {f}",
    f"{SHOW} [all|the|] {{dims}} [with|and|along with|together with] [their|the|] {{m}} {{f}}",
    "{m} {f} , [by|per] {dim}",
    "break down [the|] {m} {f} by {dim}",
    "[split|breakdown of|distribution of] {m} [by|across|over|per] {dim} {f}",
    "{dim} [and|,] {m} {f}",
    "{f0} {m} [by|per] {dim}",
    "[a|] [table|list|overview|summary|report] of {m} [by|per|for each|for all] {dim} {f}",
    f"{SHOW} [a|the|] [table|list|overview|summary|breakdown|report] of {{m}} [by|per|for each] {{dim}} {{f}}",
    "{m} [for all|across all|across|over|for the different|in the different|in all] {dims} {f}",
    "[which|what] {m} [did|does|do] each {dim} have {f}",
    "{dim} by {dim} , {m} {f}",
    "{m} [separately|individually|] for [each|every] {dim} {f}",
    "each {dim} [with|and] [its|their|the] {m} {f}",
    "[every|each] {dim} and [how much|how many|its|the] {m} {f}",
    "{m} {f} [split|divided|grouped|broken down|separated|itemised|aggregated] [by|per|into] {dim}",
    "[what|how much] {m} comes from each {dim} {f}",
    "[list|show|give me] [each|every] {dim} [with|and|together with] [its|the] {m} {f}",
    "[split|break down|divide|group] [our|the|] {m} by {dim} {f}",
    "how [does|do|is|did] [the|our|] {m} [differ|vary|look|distributed] [by|across|per] {dim} {f}",
    "{q} [by|per|for each|in each|in every] {dim} {f}",
    "{q} {f} [by|per|for each|in each] {dim}",
    "{q} for [each|every] {dim} {f}",
    "for [each|every] {dim} , {q} {f}",
    "{q} {f} for [each|every] {dim}",
    "{m} of [every|each] {dim} {f}",
    "{dims} [sorted|ordered|ranked] by {m} {f}",
    f"{SHOW} [all|the|] {{dims}} [sorted|ordered|ranked] by {{m}} {{f}}",
    "{m} {f} , one [line|row|figure|number] [per|for each] {dim}",
    "{dims} with [the|] {m} in each {f}",
    "{m} {f} , [one row per|for every single|grouped by] {dim}",
    "how [many|much] {m3} each {dim} [generated|placed|has|had|made|brought in|got] {f}",
    "[i'd like to see|i would like to see|can i see|can i get] [the|] {m} [by|per|for each] {dim} {f}",
    "how [many|much] {m} [did each|does each|has each] {dim} [have|get|generate|bring|place|make] {f}",
    "compare [the|] {m} [across|between|of all|of the different|by] {dims} {f}",
]  # fmt: skip
# Figures named after "how many/much ...", used when the measure is a count or revenue.
COUNT_QUESTIONS = {
    "revenue": ["how much [revenue|money|turnover] did we make", "how much did we sell", "how much [money|] did customers spend", "how much did we earn"],
    "units": ["how many [units|items|pieces] [did we sell|were sold|have we sold]"],
    "orders": ["how many {a} orders [do we have|were placed|did we get|are there|were there|]", "[count|count the|number of] {a} orders", "{a} orders : how many"],
    "buyers": ["how many [different|distinct|unique] customers [bought|ordered|bought from us|bought something|placed orders]",
               "how many customers with at least one order do we have", "how many customers placed at least one order"],
    "customers": ["how many {a} customers [do we have|are there|]", "how many {a} clients [do we have|are there|]"],
    "products": ["how many {a} products [do we have|are there|do we sell|]"],
    "products_sold": ["how many [different|distinct] products [were sold|did we sell]"],
    "cities": ["how many [different|] cities [are there|do we have]"],
}  # fmt: skip
SORTED = {
    "desc": ["[, |- |] [highest|largest|biggest] first", "sorted by {m} descending", "in descending order", "from highest to lowest", ", with the {m2}, highest first",
             "[sorted|ordered|ranked] from [highest to lowest|high to low|most to least]", ", [best|top] first", "sorted descending"],
    "asc": ["[, |- |] [lowest|smallest] first", "sorted by {m} ascending", "in ascending order", "from lowest to highest",
            "[sorted|ordered] from [lowest to highest|low to high|least to most]", ", worst first", "sorted ascending"],
    "name": ["[sorted|ordered] by {dim}", "alphabetically", "in alphabetical order", "[sorted|ordered] alphabetically", "by {dim} name alphabetically"],
    "time": ["in order of the {dims}", "chronologically", "in chronological order", "sorted by {dim}", ", chronological", "from oldest to newest"],
}  # fmt: skip
SPELL_OUT = ["[, |- |]{dimn} and {m2}", "[, |- |][show|give|with|i want|just|just the|] [the|] {dim} and [the|] {m2}", "({dim} and {m2})", "{dim} + {m2}"]

TWO_DIMS = [
    "{m} [by|per|for each] {dim} and {dim2} {f}",
    f"{SHOW} [the|] {{m}} [by|per|for each|broken down by|grouped by|split by] {{dim}} and {{dim2}} {{f}}",
    "{m} {f} [by|per|for each|broken down by|split by] {dim} and {dim2}",
    "{m} by {dim} , {dim2} {f}",
    "for each {dim} and {dim2} [, show|, give me|,|what is] [the|] {m} {f}",
    "{m} per {dim} per {dim2} {f}",
    "{m} by {dim} [broken down by|split by|within each|for every] {dim2} {f}",
    "{q} [per|by|for each] {dim} and {dim2} {f}",
    "[what is|what was] the {m} [per|by|for each combination of] {dim} and {dim2} {f}",
    "{m} for [every|each] {dim} in [every|each] {dim2} {f}",
]
TWO_MEASURES = [
    "{ms} {f}",
    f"{SHOW} [the|] {{ms}} {{f}}",
    "[what are|what were|what is] the {ms} {f}",
]
TWO_MEASURES_BY = [
    "{ms} [by|per|for each] {dim} {f}",
    f"{SHOW} [the|] {{ms}} [by|per|for each|of each|grouped by] {{dim}} {{f}}",
    "[for each|for every|per] {dim} [, show|, give me|show|:|,] [the|] {ms} {f}",
    "{dims} with [their|] {ms} {f}",
    "[what are|what is] the {ms} [per|by|for each|of each] {dim} {f}",
]

BEST = {
    "revenue": ("[highest|most|biggest|largest|greatest|top] {m}", "[lowest|least|smallest] {m}"),
    "": ("[highest|most|biggest|largest|greatest] {m}", "[lowest|fewest|smallest|least] {m}"),
}
RANKED = [
    "[top|the top|show the top|show me the top|list the top|give me the top|find the top] {n} {ad} {dims} [by|by|in terms of|with the highest|based on|ranked by] {m} {f}",
    "[which|what|which are the|what are the|list the|show the|name the|find the|] {n} {ad} {dims} [have|had|with|got|that have|having] the {best} {f}",
    "{n} [best|top|strongest|biggest|largest] {ad} {dims} by {m} {f}",
    "[the|our|] {n} [best|top|biggest] {ad} {dims} [by|in terms of|according to] {m} {f}",
    "[who are|what are] [the|our] [top|best|biggest] {n} {ad} {dims} by {m} {f}",
    "{ad} {dims} with the {best} {f} , top {n}",
    "{ad} {dims} [ranked by|ordered by|by] {m} {f} , [top {n}|first {n}|only the top {n}|limit {n}]",
    "rank the {ad} {dims} by {m} {f} and [show|give me|list] the top {n}",
    "{f0} [which|what] {n} {ad} {dims} have the {best}",
    "{f0} [top|best|the top] {n} {ad} {dims} by {m}",
    "of [all|the|our|all our] {ad} {dims} {f} , which {n} [have|had] the {best}",
    "[show|list|give me|find|i need|tell me|] [me|] [the|our|] {n} {ad} {dims} [that have|which have|with|having] the {best} {f}",
    "[leaderboard|ranking] of [the|] {ad} {dims} by {m} {f} , top {n}",
    "[which|what] {ad} {dims} [make up|are in] [our|the] top {n} by {m} {f}",
    "{ad} {dims} [with the|by|ranked by] {best} {f} [, the first|, only the first|- just the top] {n}",
    "top {n} {dims} {f} by {m}",
]
RANKED_LOW = [
    "of [all|the|our|all our] {ad} {dims} [that actually sold|that did sell|that sold at all|] {f} , which {n} [have|had] the {best}",
    "[bottom|worst|weakest|lowest] {n} {ad} {dims} [that did sell|that actually sold|] [by|in terms of] {m} {f}",
    "[list|show|give me|i need] [the|our] {n} {ad} {dims} [that have|which have|with|having] the {best} {f}",
    "{f0} [bottom|worst] {n} {ad} {dims} by {m}",
    "[bottom|the bottom|show the bottom|worst|the worst|show the worst|list the worst|weakest] {n} {ad} {dims} [by|in terms of|based on] {m} {f}",
    "[which|what|which are the|what are the|list the|show the|name the|find the|] {n} {ad} {dims} [have|had|with|got|that have|having] the {best} {f}",
    "{n} [worst|weakest|smallest|lowest] {ad} {dims} [by|in terms of] {m} {f}",
    "[the|our|] {n} {ad} {dims} with the {best} {f}",
    "{n} {ad} {dims} with the {best} {f} , [lowest first|worst first]",
]
RANKED_ONE = [
    f"{WHICH} {{ad}} {{dim}} [has|had|got|shows|showed] the {{best}} {{f}}",
    f"in {WHICH} {{ad}} {{dim}} [do we have|did we have|do we see|was|is] the {{best}} {{f}}",
    "[the|] {ad} {dim} with the {best} {f}",
    f"{SHOW} [the|] {{ad}} {{dim}} with the {{best}} {{f}}",
    f"{WHICH} {{ad}} {{dim}} is [the|our] [best|top|number one|strongest] [by|in terms of|in] {{m}} {{f}}",
    "[what is|what's|what was|which is|which was] [the|our] {ad} {dim} with the {best} {f}",
    "[best|top] {ad} {dim} by {m} {f}",
    "in which {ad} {dim} {f} [did we get|did we have|did we see|was] the {best}",
    "[which|what] {ad} {dim} {f} [has|had] the {best}",
    "[which|what] {ad} {dim} had the {best} {f} , {ad} {dim} only",
    "[what is|which is|what's] [the|our] [best|top|strongest|leading] {ad} {dim} [by|in terms of] {m} {f}",
    "[which|what] {ad} {dim} [comes out on top|ranks first|is number one|is first|leads|tops the list|comes first] [by|in|in terms of|for] {m} {f}",
    "{f0} [which|what] {ad} {dim} had the {best}",
    "[tell me|find|give me|name|i want to know] [which|the] {ad} {dim} [has|had|with] the {best} {f}",
    "where is {m} [the|] highest , by {dim} {f}",
]
RANKED_ONE_LOW = [
    f"{WHICH} {{ad}} {{dim}} [has|had|got|shows|showed] the {{best}} {{f}}",
    f"in {WHICH} {{ad}} {{dim}} [do we have|did we have|do we see|was|is] the {{best}} {{f}}",
    "[the|] {ad} {dim} with the {best} {f}",
    f"{WHICH} {{ad}} {{dim}} is [the|our] [worst|weakest] [by|in terms of|in] {{m}} {{f}}",
    "[what is|what's|what was|which is] [the|our] {ad} {dim} with the {best} {f}",
    "[worst|bottom|weakest] {ad} {dim} by {m} {f}",
]
# (measure, dim) pairs have verbs of their own; {n} is empty for one.
VERBS = {
    ("revenue", "customer", False): [
        "[who|which {ad} {dim}] [spent|spends|has spent|paid us] the most [money|] [with us|in our shop|] {f}",
        "who is our [best|biggest|top|most valuable] {ad} [customer|client] {f}", "[our|the|] [best|biggest|top|most valuable] {ad} [customer|client] [by revenue|by spend|] {f}",
        "[which|what] {ad} {dim} brought [us|in] the most [money|revenue] {f}", "[name of|name|find] the {ad} {dim} who spent [the most|most] {f}"],
    ("revenue", "customer", True): ["[who|which {ad} {dim}] [spent|spends|has spent] the least [money|] [with us|] {f}"],
    ("revenue", "product", False): ["[which|what] {ad} {dim} [earns|earned|makes|made|brings in|brought in|generates|generated] the most [money|revenue|] {f}",
                                     "[best|top] [selling|earning] {ad} {dim} by [revenue|value|sales] {f}"],
    ("revenue", "category", False): ["[which|what] {ad} {dim} [earns|earned|makes|made|brings in|brought in|generates|generated|sells] the most [money|revenue|] {f}"],
    ("revenue", "country", False): ["[which|what] {ad} {dim} [earns us|brings in|brought in|generates|generated|spends|spent|buys for] the most [money|revenue|] {f}",
                                     "where do we [earn|make|sell] the most , by {ad} {dim} {f}", "our [best|biggest|most important] {ad} {dim} {f}"],
    ("revenue", "city", False): ["[which|what] {ad} {dim} [brings in|brought in|generates|generated|spends|spent] the most [money|revenue|] {f}"],
    ("units", "product", False): ["[which|what] {ad} {dim} [sells best|sold best|is sold most often|sold the most|sold the most pieces|sold the most units|is the best seller|is the bestseller] {f}",
                                   "[the|our|what is our|] [best-selling|best selling|most popular|most sold|top-selling|top selling] {ad} {dim} {f}",
                                   "[what's|what is] our [bestseller|best seller|top seller|most popular product] {f}", "what do people buy the most {f}"],
    ("units", "product", True): ["[which|what] {ad} {dim} [sells worst|sold worst|sold the fewest units|sold the least] {f}",
                                  "[the|our|what is our|] [worst-selling|worst selling|least popular|least sold] {ad} {dim} {f}"],
    ("units", "category", False): ["[which|what] {ad} {dim} sold the most [units|pieces|items] {f}", "[the|our|] most popular {ad} {dim} [by units|] {f}"],
    ("orders", "customer", False): ["[who|which {ad} {dim}] [placed|made|has placed|has made|has] the most [orders|purchases] {f}", "who [orders|ordered|buys|bought] [most often|the most often|most frequently] {f}",
                                     "[our|the|] most [active|loyal|frequent] [customer|buyer|client] [by number of orders|] {f}"],
    ("orders", "customer", True): ["[who|which {ad} {dim}] [placed|made|has placed] the fewest [orders|purchases] {f}"],
    ("orders", "channel", False): ["[which|what] {ad} {dim} [is used most|is used the most|is most popular|is the most popular|brings the most orders|gets the most orders] {f}",
                                    "through which channel do we get the most orders {f}", "most [used|popular] {ad} {dim} {f}"],
    ("orders", "status", False): ["what is the most common {ad} {dim} {f}", "which {ad} {dim} is most common {f}"],
    ("orders", "month", False): ["in [which|what] {ad} {dim} [did we get|did we have|were there|were placed|did customers place] the most orders {f}", "[busiest|best] {ad} {dim} by [orders|number of orders] {f}", "what was our busiest {ad} {dim} {f}"],
    ("orders", "year", False): ["in [which|what] {ad} {dim} [did we get|did we have|were there|were placed] the most orders {f}", "what was our busiest {ad} {dim} {f}"],
    ("orders", "weekday", False): ["on [which|what] {ad} {dim} do we get the most orders {f}"],
    ("revenue", "month", False): ["in [which|what] {ad} {dim} did we [make|earn|sell] the most [money|] {f}", "[what was our|our|the|] [best|strongest] {ad} {dim} [by revenue|for sales|] {f}"],
    ("revenue", "year", False): ["in [which|what] {ad} {dim} did we [make|earn|sell] the most [money|] {f}", "[what was our|our|the|] [best|strongest] {ad} {dim} [by revenue|for sales|] {f}"],
    ("revenue", "month", True): ["[what was our|our|the|] [worst|weakest] {ad} {dim} [by revenue|for sales|] {f}", "in [which|what] {ad} {dim} did we [make|earn|sell] the least {f}"],
    ("orders", "country", False): ["[which|what] {ad} {dim} [orders the most|ordered the most|placed the most orders|do most orders come from] {f}", "where do most orders come from , by {ad} {dim} {f}"],
    ("orders", "city", False): ["[which|what] {ad} {dim} [orders the most|placed the most orders|do most orders come from] {f}"],
    ("customers", "country", False): ["where do most of our customers [live|come from] , by {ad} {dim} {f}", "[which|what] {ad} {dim} do most [of our|] customers come from {f}"],
    ("customers", "city", False): ["[which|what] {ad} {dim} do most [of our|] customers [live in|come from] {f}", "in which {ad} {dim} do most customers live {f}"],
    ("customers", "segment", False): ["[which|what] is [our|the] [largest|biggest] [customer|] segment {f}", "[largest|biggest] {ad} {dim} {f}"],
    ("products", "category", False): ["[which|what] is the [largest|biggest] {ad} {dim} [by number of products|] {f}"],
}  # fmt: skip
VERBS_MANY = {
    ("revenue", "customer", False): ["[which|what|the|our|list the|] {n} {ad} {dims} [spent|who spent|that spent|spending] the most [money|] {f}", "{n} [best|biggest|most valuable] {ad} {dims} [by total spend|by spend|] {f}",
                                      "who are our {n} [best|biggest|top] {ad} {dims} {f}", "[top|show top] {n} {ad} {dims} {f}"],
    ("revenue", "customer", True): ["[which|the|] {n} {ad} {dims} [spent|who spent|spending] the least [money|] {f}"],
    ("units", "product", False): ["[the|our|show our|list our|what are our|] [top|] {n} [best-selling|best selling|most popular|most sold|top-selling] {ad} {dims} {f}", "our {n} bestsellers {f}", "[which|what] {n} {ad} {dims} sold [best|the most|the most units] {f}",
                                   "top {n} [sellers|bestsellers] [by units|by quantity|] {f}"],
    ("revenue", "product", True): ["of the {ad} {dims} that [actually|did] [sold|sell] , which {n} [earned|made|brought in] the least {f}", "[which|what] {n} {ad} {dims} [earn|earned|bring in|brought in|made] the least [money|revenue|] {f}"],
    ("units", "product", True): ["[least popular|worst selling|least sold] {n} {ad} {dims} that did sell [, by number of units|by units|] {f} [, worst first|]", "[the|our|list the|what are the|] {n} [worst-selling|worst selling|least popular|least sold] {ad} {dims} {f}", "[least popular|worst selling] {n} {ad} {dims} {f}"],
    ("orders", "customer", False): ["[which|the|] {n} {ad} {dims} [placed|made|who placed|who made|with] the most orders {f}", "{n} most [active|loyal|frequent] {ad} {dims} {f}"],
    ("revenue", "product", False): ["[which|what] {n} {ad} {dims} [earn|earned|bring in|brought in|generate|generated|make|made] the most [money|revenue|] {f}"],
    ("revenue", "category", False): ["[which|what] {n} {ad} {dims} [earn|earned|bring in|brought in|generate|make] the most [money|revenue|] {f}"],
}  # fmt: skip
MONTH_FORM = ["[, |? |][just|only|show|give|with] the [month|months] [, like 2024-05|, e.g. 2023-11|(YYYY-MM)|, in the form 2024-01|as YYYY-MM|like 2025-03|, for example 2024-07]", "[, |]YYYY-MM [only|]"]
ONLY = ["[? |. |, ][just|only|simply] [give me|tell me|show|list|return|i need] the [name|names|{dim}|{dims}]", "[, |? |. ][no|without] [numbers|figures|amounts|totals] [needed|please|]", "[, |? |. ][the|] {dim} [name|] is enough", "[, |? |. ]i [only|just] need the {dim}", "[, |- |? |. ]only the name of the {dim}", "? [just|only] the {dim}", ". {dim} only please", ", nothing else than the {dim}", "[, |- |][only the|just the|the|] name[s|] [only|please|]", "[, |- |]only [the|] {dim}", "[, |- |]just the {dim}", "[, |- |]{dim} only", "[, |- |]{dims} only",
        "(only the {dim})", "[, |- |]names only", "[, |- |]only the {dim} [, nothing else|, no numbers|]", ". [just|only] the {dim}", "? [just|only] the name", "[, |- |]name only",
        "[, |- |]only names", "[, |- |]without the numbers"]  # fmt: skip
BOTH = ["[, |? |. |- ][including|plus|along with|together with] [the|their|its|] {m2}", "[? |. |, ][give me|show|list|return|i need|include|i want] [the|] {dimn} and [the|] {m2} [please|]", "[? |. |, ][i also|also] [want|show|need|include|give] the {m2}", "[, |? |. ][both|] {dim} and [the|] {m2}", "[, |- |]{dimn} and {m2}", "[, |- |]just {dimn} and {m2}", "[, |- |]i want the {dimn} and {m2}", "? show {dimn} and {m2}", "[, |- |]with [the|their|its|] {m2}", "[, |- |]and [the|their|its|how much is the|] {m2}", ". [give me|show|list] [the|] {dim} and [the|] {m2}", "? {dimn} and {m2} [please|]", ". {dimn} and {m2}", ". show [the|] {m2} too", "and how [much|many] [it was|each of them|for each|]", "? show [the|] {dimn} and how [many|much]",
        "({dim} and {m2})", "[, |- |]{dim} + {m2}", ", with [numbers|the numbers|figures|values|the value]", "[, |- |]name and {m2}", ", and how [much|many]"]  # fmt: skip

HAVING = [
    "[which|what] {ad} {dims} [have|had|with|got] {more} {t} {m3} {f}",
    f"{SHOW} {{ad}} {{dims}} [with|having|that have|that had] {{more}} {{t}} {{m3}} {{f}}",
    "{ad} {dims} with {more} {t} {m3} {f}",
    f"{SHOW} [all|the|] {{ad}} {{dims}} [where|whose] [the|] {{m}} [is|was] {{more2}} {{t}} {{f}}",
    "{ad} {dims} [whose|where the] {m} [is|was|exceeds] {more2} {t} {f}",
    "{ad} {dims} with [a|] {m} [of|] {more2} {t} {f}",
    "[which|what] {ad} {dims} have [a|] {m} [of|] {more2} {t} {f}",
]
HAVING_VERBS = {
    ("orders", "customer"): ["[which|list|show|] {ad} {dims} [who|that|] [placed|made|have placed|ordered] {more} {t} [orders|times|purchases] {f}", "{ad} {dims} [who|that] [ordered|bought] {more} {t} times {f}",
                              "who [placed|made|has] {more} {t} orders {f}"],
    ("revenue", "customer"): ["[which|list|show|] {ad} {dims} [who|that|] [spent|have spent|spend|paid] {more} {t} [in total|with us|altogether|] {f}", "who spent {more} {t} [in total|] {f}"],
    ("units", "product"): ["[which|list|show|] {ad} {dims} [that|which|] [sold|have sold] {more} {t} [units|pieces|times|items] {f}", "{ad} {dims} [sold|that were sold|ordered] {more} {t} [times|units] {f}"],
    ("revenue", "product"): ["[which|list|] {ad} {dims} [that|] [earned|brought in|generated|made] {more} {t} [in revenue|in sales|of revenue|] {f}"],
    ("revenue", "category"): ["[which|list|] {ad} {dims} [that|] [earned|brought in|generated|made] {more} {t} [in revenue|in sales|of revenue|] {f}"],
    ("revenue", "country"): ["[which|list|] {ad} {dims} [that|] [earned|brought in|generated|made] [us|] {more} {t} [in revenue|in sales|of revenue|] {f}"],
    ("revenue", "city"): ["[which|list|] {ad} {dims} [that|] [earned|brought in|generated|made] [us|] {more} {t} [in revenue|in sales|of revenue|] {f}"],
    ("orders", "product"): ["{ad} {dims} [that appear in|appearing in|that are in|contained in] {more} {t} orders {f}"],
}  # fmt: skip
COUNT_HAVING = [
    "how many {ad} {dims} [have|had|with|got] {more} {t} {m3} {f}",
    "[number|count] of {ad} {dims} with {more} {t} {m3} {f}",
    "how many {ad} {dims} have [a|] {m} [of|] {more2} {t} {f}",
]
COUNT_HAVING_VERBS = {
    ("orders", "customer"): ["how many {ad} {dims} [placed|made|have placed|ordered] {more} {t} [orders|times] {f}", "[number|count] of {ad} {dims} who [placed|made] {more} {t} orders {f}"],
    ("revenue", "customer"): ["how many {ad} {dims} [spent|have spent] {more} {t} [in total|with us|] {f}"],
    ("units", "product"): ["how many {ad} {dims} [sold|were sold|have sold] {more} {t} [units|times|pieces] {f}"],
}  # fmt: skip
MORE = {
    "above": "[more than|over|more than|greater than|above|at more than]",
    "at_least": "[at least|minimum|no less than|no fewer than]",
    "below": "[less than|fewer than|under|below]",
    "exactly": "[exactly|exactly|just]",
    "at_most": "[at most|no more than|up to|maximum]",
}
MORE2 = {
    "above": "[more than|over|above|greater than|higher than]",
    "at_least": "[at least|no less than]",
    "below": "[less than|under|below|lower than|smaller than]",
    "exactly": "exactly",
    "at_most": "[at most|no more than]",
}

COMPARE = [
    "compare {values} : {m} {f}",
    "compare [the|] {m} of {values} {f}",
    "compare [the|] {m} {f} [between|of|for|in] {values}",
    "{m} {values} {f}",
    "{values} : {m} {f}",
    "{values} [compared|comparison] by {m} {f}",
    "{m} [in|for|of|by] {values} {f}",
    "[what is|show|show me] [the|] {m} [for|of|in] {values} {f}",
    "[comparison of|compare] {m} : {values} {f}",
    "how [does|do|did] {values} compare [in|in terms of|by] {m} {f}",
    "{values} - [which has|who has|show] [the|] {m} of each {f}",
    "{m} of {values} side by side {f}",
    "compare {values} [by|in terms of|on|in] {m} {f}",
    "compare {values} : {m} of each {f}",
    "how does {values} compare [in|in terms of|by|on|when it comes to] {m} {f}",
    "{m} for {values} {f} [, one row each|, each separately|, compared|]",
    "[what is|what was|give me|i need] the {m} [of|for|in] [each of|] {values} [separately|respectively|] {f}",
    "{values} {m} {f}",
    "{values} - compare [the|their] {m} {f}",
]

SHARES_OF = {
    "orders": ["[what|] [percentage|share|percent|proportion|%] of [all|our|the|all our|] orders [is|are|was|were|have been|got] {part} {f}",
               "{part1} [rate|order rate|percentage|share] {f}",
               "[what is|what's|what was|show|] [the|our|] {part1} rate {f}",
               "[what is|what's|show|calculate|] [the|] [percentage|share|proportion] of {part1} orders {f}",
               "how [big|large|high] is the [share|percentage] of {part1} orders {f}",
               "{part1} orders as [a percentage|percentage|a share|%] of all orders {f}"],
    "revenue": ["[what|] [percentage|share|percent|proportion|%] of [total|our|the|our total|all|] [revenue|sales|turnover] [comes from|came from|coming from|is from|was made with|is made by|goes to] {part} {f}",
                "[what is|what's|show|] [the|] {part1} share of [total|] [revenue|sales|turnover] {f}",
                "[what is|what's|calculate|] [the|] [share|percentage|proportion] of {part1} in [total|] [revenue|sales|turnover] {f}",
                "how much of [our|the|total] [revenue|sales|turnover] [comes|came] from {part} , in percent {f}",
                "what does {part} contribute to [total|] revenue in percent {f}"],
    "units": ["[what|] [percentage|share|percent|proportion|%] of [all|] [units|items|pieces] sold [is|are|was|were|comes from] {part} {f}",
              "[share|percentage] of {part1} in [all|] units sold {f}"],
    "customers": ["[what|] [percentage|share|percent|proportion|%] of [all|our|the|our all|] [customers|clients] [is|are|are based|live|come|comes] {part} {f}",
                  "[what is|show|] [the|] [share|percentage|proportion] of {part1} customers {f}"],
    "products": ["[what|] [percentage|share|percent|proportion|%] of [all|our|the|] products [is|are|belong to] {part} {f}",
                 "[what is|] [the|] [share|percentage] of {part1} products {f}"],
}  # fmt: skip
RATIO = ["[, |- |]as a [fraction|ratio|decimal]", "? {part1} orders divided by all orders", "- {part1} divided by total", "(as a fraction)", ", as a number between 0 and 1", "({part1} divided by all)", ", {part1} divided by all"]
PERCENT_TAIL = ["in percent", "[, |- |]in percent", "[, |- |]as [a|] percentage", "(%)", "in %", "", "", "", "", "? in percent"]
SHARES = [
    "[what|] [percentage|percent|share|fraction|proportion|part|%] of [our|the|all|total|] {m} [comes from|came from|is from|is made by|falls on|belongs to|does] [each|every] {dim} [make|have|contribute|account for|]",
    "[each|every] {dim} as [a|] [percentage|percent|share|%] of [the|our|] [total|overall|whole|] {m}",
    "{m} by {dim} as [percentages|percent|shares]",
    "[percentage|percent] [breakdown|distribution|split] of {m} by {dim}",
    "{dim} and [its|their] [share|percentage|percent] of [total|] {m}",
    "how much of [the|our|] [total|] {m} does each {dim} [represent|account for|make up|contribute] [in percent|as a percentage|%]",
    "[what is|show|show me|] [the|] share of [total|] {m} [by|per|for each|of each] {dim}",
    "[percentage|percent|share] of [total|all|] {m} [by|per|for each|of each] {dim}",
    "[what|] [percentage|share] of [total|] {m} does each {dim} [have|make up|bring|account for|contribute]",
    "{m} share [by|per] {dim} [in percent|]",
    "{m} [by|per] {dim} [as a percentage of the total|in percent of the total|as share of total|as % of total]",
    "how is {m} distributed across {dims} in percent",
    "[each|every] {dim}'s [share|percentage] of [total|] {m}",
]

COLUMN_WORDS = {
    "customer": {"name": "[names|names|name|customer names|full names]", "city": "[city|cities]", "country": "[country|countries]", "segment": "[segment|segments]",
                 "signup_date": "[signup date|signup dates|sign-up date|registration date|date of signup]", "customer_id": "[customer id|id|customer ids|ids]"},
    "product": {"name": "[names|names|name|product names|product name]", "category": "[category|categories]", "price": "[price|prices]", "product_id": "[product id|ids|id]"},
    "order": {"order_id": "[order ids|ids|order id|order numbers|numbers|id]", "date": "[date|dates|order date|order dates]", "status": "[status|statuses]",
              "channel": "[channel|channels]", "customer": "[customer name|customer|customer names|customers]"},
}  # fmt: skip
LISTED = [
    "[list|show|show me|give me|find|get|display|return|name|i need|i want|print|who are|what are|which are] [all|the|our|all the|all our||] {a} {things} {f}",
    "[all|all our|the|our||] {a} {things} {f}",
    "which {a} {things} [are|do we have] {f}",
    "which {a} {things} do we have {f}",
    "what {a} {things} do we have {f}",
    "[can i see|can you show me|could you list|please list|i'd like to see|i'm looking for|let me see] [all|the|our|] {a} {things} {f}",
    "[give me a list of|a list of|list of|show me a list of] [all|the|our|] {a} {things} {f}",
    "{things} {f}",
]
LISTED_COLUMNS = [
    "[list|show|show me|give me|find|get|display|return|i need|i want|print|what are] [the|] {cols} of [all|the|our|all our|] {a} {things} {f}",
    "{cols} of [all|the|our|all our|] {a} {things} {f}",
    "[list|show|show me|give me|find|get|which are|] [all|the|our|] {a} {things} {f} [with|, with|with their|- just|, only|, just|: ] {cols}",
    "[all|] {a} {things} {f} [,|:|-] {cols}",
    "{a} {things} {f} ({cols})",
    "[which|what] {a} {things} [do we have|are] {f} [?|,|-] {cols}",
    "[show|list|give me] {cols} for [all|the|our|every|] {a} {things} {f}",
    "[just|only] the {cols} of {a} {things} {f}",
    "[list|show|give me|] [all|the|our|] {a} {things} {f} [with|and|along with|together with|including] [their|the|] {cols2}",
    "[all|] {a} {things} and [their|the|] {cols2} {f}",
    "[which|what] {a} {things} {f} ? [i need|give me|show|list|just] [the|their|] {cols}",
    "[what are|give me|i need|show] the {cols} of [everything|all {things}] {f}",
    "{a} {things} {f} [, show|. show|. give me|, give me|, i need|. only|. just] [the|] {cols} [please|only|]",
    "[don't need details, just|just|only] give me [the|] {cols} of [everyone|{things}] {f}",
    "[everyone|everybody|all {things}|all our {things}] {f} [-|:|,|?] {cols}",
    "[show|list|give me|i need|get|return|pull up|please list] [a table|a list|a report|an overview] of [all|the|our|] {a} {things} {f} with [their|] {cols}",
    "{cols} of [every|each] {a} {thing1} {f}",
    "[which|what] {a} {things} {f} and what are their {cols2}",
    "[show|list|give me|i need] [the|] {a} {things} {f} . [columns:|columns|include|return|with] {cols}",
]
LISTED_FAR = {
    "customer": ["[which|what] {a} {things} {pf} [bought|ordered|purchased|have bought] [a|] {thing} {f}",
                 "[which|what|] {a} {things} {pf} [who|that|] [ordered|bought something|placed an order|have ordered|placed orders] {f}",
                 "[list|show|names of|find|give me] [all|the|] {a} {things} {pf} who [bought|ordered|purchased|have bought] [a|] {thing} {f}",
                 "[who|which {things}|which {a} {things}] [bought|ordered|purchased|has bought|have ordered|ordered at least one] {thing} {f}",
                 "[list|show|names of|name|find|give me] [all|the|] {a} {things} [who|that] [bought|ordered|purchased|have bought] [a|an|any|] {thing} {f}",
                 "{a} {things} [who|that|which] [bought|ordered|purchased|have bought|ever bought] [a|an|any|] {thing} {f} , [each name once|unique names|no duplicates|without duplicates|distinct]",
                 "[who|which {a} {things}] [ordered|bought something|placed an order|made a purchase] {f}",
                 "[list|show|names of|name|find|give me] [all|the|] {a} {things} [who|that] [ordered|bought something|placed an order|placed orders|made purchases] {f}",
                 "{a} {things} with [an order|orders|at least one order|any order] {f}",
                 "[names of|] everyone [with an order|who ordered|who bought something] {f}"],
    "product": ["[which|what] {a} {things} [did|has|have] {who} [buy|bought|order|ordered|purchased] {f}",
                "[what|what all] [did|has] {who} [buy|bought|order|ordered] {f}",
                "[list|show|names of|name|find|give me] [all|the|] {a} {things} [bought|ordered|purchased] by {who} {f}",
                "[which|what] {a} {things} were [sold|ordered|bought] {f}",
                "[list|show|find|give me] [all|the|] {a} {things} [sold|that were sold|ordered|that were ordered] {f}",
                "{a} {things} [sold|bought|ordered|that sold] {f} [, each once|, no duplicates|, distinct names|]"],
}  # fmt: skip
ROW_SORT = {
    ("name", "asc"): ["[sorted|ordered] [by name|alphabetically]", "alphabetically", "in alphabetical order", "from A to Z", "[, |]alphabetical"],
    ("name", "desc"): ["sorted by name descending", "from Z to A", "in reverse alphabetical order"],
    ("price", "asc"): ["cheapest first", "[sorted|ordered] by price", "from [the|] cheapest to [the|] most expensive", "by price ascending", "from low to high price", "[, |]lowest price first"],
    ("price", "desc"): ["most expensive first", "[sorted|ordered] by price descending", "from [the|] most expensive to [the|] cheapest", "by price descending", "[, |]highest price first"],
    ("signup_date", "asc"): ["[sorted|ordered] by signup date", "oldest first", "[earliest|oldest] signup first"],
    ("signup_date", "desc"): ["newest first", "latest signup first", "[sorted|ordered] by signup date descending", "[newest|most recent] first"],
    ("date", "asc"): ["[sorted|ordered] by date", "oldest first", "chronologically", "in chronological order", "[earliest|oldest] first"],
    ("date", "desc"): ["newest first", "latest first", "[sorted|ordered] by date descending", "most recent first"],
}  # fmt: skip

EXTREME = {
    ("product", True): ["[most expensive|dearest|priciest|highest priced|costliest]"],
    ("product", False): ["[cheapest|least expensive|lowest priced]"],
    ("customer", True): ["[newest|latest|most recent|youngest|most recently registered]"],
    ("customer", False): ["[oldest|earliest|first|longest standing]"],
    ("order", True): ["[latest|last|most recent|newest]"],
    ("order", False): ["[first|earliest|oldest]"],
}
EXTREME_ONE = [
    "[what is|what's|which is|who is|show me|show|find|give me|tell me|] [the|our] {most} {a} {thing1} {f}",
    "{most} {a} {thing1} {f}",
    "[which|what] {a} {thing1} is the {most} {f}",
    "name of the {most} {a} {thing1} {f}",
]
EXTREME_MANY = [
    "[what are|which are|show me|show|find|give me|list|who are|] [the|our] {n} {most} {a} {things1} {f}",
    "{n} {most} {a} {things1} {f}",
    "top {n} {most} {a} {things1} {f}",
    "[show|list|] the {most} {n} {a} {things1} {f}",
    "[which|what] {n} {a} {things1} are the {most} {f}",
]
EXTREME_VERBS = {
    ("product", True): ["[which|what] {a} {thing1} costs [the most|most] {f}", "what is the most expensive thing we sell {f}", "[which|what] {a} {thing1} has the highest price {f}"],
    ("product", False): ["[which|what] {a} {thing1} costs the least {f}", "what is the cheapest thing we sell {f}", "[which|what] {a} {thing1} has the lowest price {f}"],
    ("customer", True): ["who [signed up|registered|joined] [last|most recently] {f}", "[which|what] {a} customer [signed up|registered|joined] [last|most recently] {f}"],
    ("customer", False): ["who [signed up|registered|joined] [first|before everyone else] {f}", "who is our [first|oldest] {a} customer {f}"],
}  # fmt: skip
EXTREME_SAID = {
    ("product", "only"): ["[, |- |]just the name", "[, |- |]name only", "[, |- |]names only", "[, |- |]only the [name|names]"],
    ("product", "both"): ["[, |- |][with|and|show] [its|the|their|] [price|prices]", "[, |- |]name and price", "(name, price)", "and how much [does it|do they|] cost"],
    ("customer", "only"): ["[, |- |]just the name", "[, |- |]name only", "[, |- |]names only", "[, |- |]only the [name|names]"],
    ("customer", "both"): ["[, |- |][with|and] [the|their|] [signup date|signup dates|date of signup]", "[, |- |]name and signup date", "[, |- |]names and signup dates"],
    ("order", "only"): ["[, |- |]just the [id|order id]", "[, |- |]order ids only", "[, |- |]id only"],
    ("order", "both"): ["[, |- |][with|and] [the|their|its|] [date|dates]", "[, |- |]order id and date", "[, |- |]ids and dates"],
}  # fmt: skip

BIG = {
    ("value", False): "[biggest|largest|most valuable|highest value|most expensive|highest]",
    ("value", True): "[smallest|cheapest|least valuable|lowest value|lowest]",
    ("units", False): "[biggest|largest]",
    ("units", True): "[smallest]",
}
TOP_ORDERS_ONE = [
    "[what is|what's|which is|what was|which was|show|find|] [the|our] {big} [single|] {a} order [we ever got|ever|] {by_of} {f}",
    "{big} {a} order {by_of} {f}",
    "[which|what] {a} order [had|has] the [most|highest] {of} {f}",
    "which order was the {big} {by_of} {f}",
]
TOP_ORDERS_MANY = [
    "[what are|which are|show|list|give me|find|] [the|our] {n} {big} {a} orders {by_of} {f}",
    "[top|the top|show the top|list the top] {n} {a} orders by {of} {f}",
    "{n} {big} {a} orders {by_of} {f}",
    "[which|what] {n} {a} orders have the [most|highest] {of} {f}",
]
ORDERS_OVER = {
    "value": ["[which|list|show|find|give me|] {a} orders [worth|with a value of|with a total of|totalling|with an amount|exceeding|valued at|that are worth] {more} {t} {f}",
              "{a} orders [with a|whose] [value|total|amount] {more2} {t} {f}", "[which|what] {a} orders [cost|came to|are worth|were worth] {more} {t} {f}"],
    "units": ["[which|list|show|find|give me|] {a} orders with {more} {t} [items|units|pieces] [in total|] {f}", "[which|what] {a} orders [contain|contained] {more} {t} [items|units|pieces] {f}"],
}  # fmt: skip
ORDERS_OVER_COUNT = {
    "value": ["how many {a} orders [are|were] worth {more} {t} {f}", "[number|count] of {a} orders [worth|over|with a value of|exceeding] {more} {t} {f}",
              "how many {a} orders have a [value|total|total value] {more2} {t} {f}", "how many {a} orders [exceed|exceeded|are over|were over] {t} {f}"],
    "units": ["how many {a} orders [have|contain|contained|had] {more} {t} [items|units|pieces] {f}"],
}  # fmt: skip
ORDER_FIGURE = {
    ("value", False): ["[what is|what's|what was|show|] [the|our] [highest|biggest|largest|maximum|max] {a} order [value|amount|total] {f}", "[highest|maximum|max|largest] {a} order value {f}",
                       "how much was [the|our] [biggest|largest|most valuable] {a} order worth {f}", "value of [the|our] [biggest|largest] {a} order {f}"],
    ("value", True): ["[what is|what's|what was|] [the|our] [lowest|smallest|minimum|min] {a} order [value|amount|total] {f}", "[lowest|minimum|min|smallest] {a} order value {f}",
                      "how much was the [smallest|cheapest] {a} order worth {f}"],
    ("units", False): ["[what is|] the [highest|largest|maximum] number of [items|units|pieces] in [an|a single|one] {a} order {f}", "[maximum|most] [items|units] in [one|a single] {a} order {f}"],
    ("units", True): ["[what is|] the [lowest|smallest|minimum] number of [items|units|pieces] in [an|a single|one] {a} order {f}"],
}  # fmt: skip

ABSENT = {
    "customer": ["[which|list|show|find|give me|names of|] [all|the|our|] {a} {things} {f} [who|that|] [have never ordered|never ordered|never bought anything|have not placed any order|did not order|have no orders|haven't ordered|have never placed an order|didn't buy anything] {far}",
                 "{a} {things} {f} [without|with no|with zero|without any] orders {far}",
                 "[which|what] {a} {things} {f} [have never ordered anything|never placed an order|have not ordered|did not order anything|have no orders|never bought anything|haven't bought anything] {far}",
                 "who [has never ordered|never ordered|has not ordered|did not order|never bought anything|didn't buy anything|has no orders] {far} {f}",
                 "[list|show|find] {a} {things} {f} [without|with no] [orders|purchases|any orders|any purchase] {far}",
                 "[are there any|do we have] {a} {things} {f} [who never ordered|without orders|with no orders|who never bought anything] {far}",
                 "inactive {a} {things} {f} [(no orders)|without orders] {far}"],
    "product": ["[which|what|list|show|find|give me|names of|] [all|the|our|] {a} {things} {f} [that|which|] [were never sold|have never been sold|never sold|were not sold|have not been sold|nobody bought|were never ordered|have never been ordered|no one has bought|did not sell] {far}",
                "{a} {things} {f} [without|with no|with zero] [sales|orders] {far}",
                "[are there any|do we have] {a} {things} {f} [nobody has ever bought|that never sold|without sales|nobody bought|that were never ordered] {far}",
                "unsold {a} {things} {f} {far}",
                "[which|what] {a} {things} {f} [has nobody bought|did nobody buy|did no one order|were not ordered|never sold|have no sales] {far}",
                "[list|show|find] {a} {things} {f} [without|with no] [sales|orders|any sales] {far}"],
}  # fmt: skip
ABSENT_COUNT = {
    "customer": ["how many {a} {things} {f} [have never ordered|never ordered|never bought anything|have not placed any order|did not order|have no orders|haven't ordered] {far}",
                 "[number|count] of {a} {things} {f} [without|with no|with zero|without any] orders {far}", "how many {a} {things} {f} [are|] without [any|an|] order[s|] {far}"],
    "product": ["how many {a} {things} {f} [were never sold|have never been sold|never sold|were not sold|have not been sold|were never ordered|has nobody bought|have no sales] {far}",
                "[number|count] of {a} {things} {f} [without|with no] [sales|orders] {far}"],
}  # fmt: skip
BOTH_DONE = {
    ("product", False): ["[which|list|names of|show|find|] {a} {things} {f} [who|that|] [bought|ordered|purchased|have bought] both [a|] {one} and [a|] {two}", "{a} {things} {f} [who|that] bought [a|] {one} and also [a|] {two}",
                         "who bought [both|] [a|] {one} and [a|] {two} {f}", "{a} {things} {f} that ordered {one} as well as {two}"],
    ("product", True): ["[which|list|names of|show|find|] {a} {things} {f} [who|that|] [bought|ordered|purchased] [a|] {one} but [not|never|no|never bought] [a|] {two}", "who bought {one} but [not|never] {two} {f}",
                        "{a} {things} {f} [who|that] bought {one} [and not|without buying|but didn't buy] {two}"],
    ("year", False): ["[which|list|names of|show|find|] {a} {things} {f} [who|that|] [ordered|bought|bought something|placed orders|placed an order] [both in|in] {one} and [also|] [in|] {two}", "{a} {things} {f} with orders in both {one} and {two}",
                      "who ordered in {one} and [also|again|] in {two} {f}"],
    ("year", True): ["[which|list|names of|show|find|] {a} {things} {f} [who|that|] [ordered|bought|bought something|placed orders|were active] in {one} but [not|no longer|not anymore] in {two}", "{a} {things} {f} who [ordered|bought] in {one} but [did not order|not|didn't] in {two}",
                     "who ordered in {one} but not in {two} {f}", "{a} {things} {f} active in {one} but not in {two}"],
}  # fmt: skip
BOTH_COUNT = {
    ("product", False): ["how many {a} {things} {f} [bought|ordered|purchased] [both|] [a|] {one} and [a|] {two}"],
    ("product", True): ["how many {a} {things} {f} [bought|ordered|purchased] [a|] {one} but [not|never|no] [a|] {two}"],
    ("year", False): ["how many {a} {things} {f} [ordered|bought] [both|] in {one} and [in|] {two}", "number of {a} {things} {f} [with orders|who ordered] in both {one} and {two}"],
    ("year", True): ["how many {a} {things} {f} [ordered|bought] in {one} but not in {two}", "number of {a} {things} {f} who ordered in {one} but not in {two}"],
}  # fmt: skip
BESIDE_AVERAGE = [
    "[which|list|show|find|give me|names of|] [all|the|] {a} products {f} [whose price is|priced|costing|that cost|that are|with a price|with prices|cost] {beside} [the|] average [price|price of all products|product price|]",
    "{a} products {f} [that are|] [more|less] expensive than [the|] average {mark}",
    "{beside} average priced {a} products {f}",
]
BESIDE_COUNT = ["how many {a} products {f} [cost|are priced|are|have a price] {beside} [the|] average [price|price of all products|]", "[number|count] of {a} products {f} {beside} [the|] average price"]
DISTINCT = {
    "city": ["[which|what] cities [do our customers come from|do we have customers in|do our customers live in|are our customers from|are our customers in] {f}", "[list|show|give me] [all|the|all the|] [different|distinct|unique|] [customer|] cities [without duplicates|] {f}",
             "[distinct|unique|all|all customer] cities {f}", "in [which|what] cities do we have customers {f}", "cities where we have customers {f}"],
    "country": ["[which|what] countries [do our customers come from|do we have customers in|do we sell to|do our customers live in|are our customers from] {f}", "[list|show|give me] [all|the|all the|] [different|distinct|unique|] [customer|] countries [without duplicates|] {f}",
                "[distinct|unique|all] [customer|] countries {f}", "in [which|what] countries do we have customers {f}", "where are our customers from, by country {f}"],
    "segment": ["[which|what] [customer|] segments [do we have|are there|exist|do our customers belong to] {f}", "[list|show|give me] [all|the|all the|] [different|distinct|unique|] [customer|] segments {f}", "[distinct|unique|all] [customer|] segments {f}"],
    "category": ["[which|what] [product|] categories [do we have|are there|exist|do we sell|do we carry|do we offer] {f}", "[list|show|give me] [all|the|all the|] [different|distinct|unique|] [product|] categories {f}", "[distinct|unique|all] [product|] categories {f}"],
    "status": ["[which|what] [order|] [statuses|status values] [do we have|are there|exist|can an order have|do orders have] {f}", "[list|show|give me] [all|the|all the|] [different|distinct|unique|possible|] [order|] statuses {f}", "[distinct|unique|all|possible] order statuses {f}",
               "what status can an order have {f}"],
    "channel": ["[which|what] [order|sales|] channels [do we have|are there|exist|do we use|do we sell through] {f}", "[list|show|give me] [all|the|all the|] [different|distinct|unique|] [sales|order|] channels {f}", "[distinct|unique|all] [sales|order|] channels {f}",
                "through which channels do [customers order|orders come in|we sell] {f}"],
}  # fmt: skip
LOOKUP = {
    "price_category_of": ["[what are|what is|show|give me|] [the|] price and category of [the|] {v}", "[how much is|what does] [the|a|] {v} [cost|] and [which|what] category is it in", "{v} : price and category"],
    "city_country_of": ["where does {v} live [? city and country|, city and country|]", "[what are|show|give me|] [the|] city and country of {v}", "which city and country is {v} from", "where is {v} from [? city and country|, city and country|]", "{v} : city and country"],
    "order_status_date_of": ["[what are|show|give me|] [the|] status and date of order [number|#|] {v}", "order {v} : status and date", "[when was order|what is the status of order] {v} [placed and what is its status|and when was it placed]"],
    "price_of": ["[what is|what's|tell me|show|] the price of [the|a|an|our|] {v}", "how much [does|is] [a|an|the|] {v} [cost|]", "{v} price", "what does [a|an|the|] {v} cost", "how expensive is [a|an|the|] {v}"],
    "category_of": ["[which|what] category [is|does] [the|a|] {v} [in|belong to]", "category of [the|] {v}", "[what is|what's] the category of [the|] {v}", "in which category [is|do we sell] [the|] {v}"],
    "city_of": ["[which|what] city [does {v} live in|is {v} from|is {v} in]", "where does {v} live , city", "city of {v}", "[what is|what's] {v}'s city", "in which city does {v} live"],
    "country_of": ["[which|what] country [does {v} live in|is {v} from|does {v} come from]", "country of {v}", "[what is|what's] {v}'s country", "in which country does {v} live"],
    "segment_of": ["[which|what] [customer|] segment [is {v} in|does {v} belong to]", "segment of {v}", "[what is|what's] {v}'s segment", "[what is|what's] the segment of {v}"],
    "signup_of": ["when did {v} [sign up|register|join|become a customer]", "[signup date|sign-up date|registration date] of {v}", "[what is|what's] {v}'s signup date", "since when is {v} a customer", "when was {v} registered"],
    "order_value_of": ["[what is|what's|what was|] the [value|total|total value|amount|total amount] of order [number|no.|#|] {v}", "how much [is|was] order [number|#|] {v} [worth|]", "order {v} [total|value|total value]", "how much did order {v} cost"],
    "order_units_of": ["how many [items|units|pieces] [are in|were in|did|does] order [number|#|] {v} [contain|have|]", "[number of|total] [items|units] in order {v}"],
    "order_status_of": ["[what is|what's] the status of order [number|no.|#|] {v}", "status of order [number|#|] {v}", "order {v} status", "which status does order {v} have"],
    "order_date_of": ["when was order [number|no.|#|] {v} [placed|made]", "[what is|what was|] [the|] date of order [number|#|] {v}", "order {v} date", "on which day was order {v} placed"],
    "order_channel_of": ["[through|via|in] [which|what] channel [was|did] order [number|#|] {v} [placed|made|come in]", "channel of order {v}"],
    "order_customer_of": ["[who placed|who made|which customer placed|whose is] order [number|no.|#|] {v}", "[customer|name of the customer|customer name] of order [number|#|] {v}", "who is the customer of order {v}", "which customer does order {v} belong to"],
    "order_products_of": ["[what|which products] [is|was|are|were] inside order [number|#|] {v}", "[contents|content] of order [number|#|] {v} [, product names|, names only|]", "what did [order [number|#|] {v} contain|order {v} include]", "[show|list|tell me] what was [ordered|bought] in order [number|#|] {v}", "[which|what] [products|items|articles] [are in|were in|does|are part of] order [number|#|] {v} [contain|include|]", "products in order [number|#|] {v}", "[what is|what was] in order [number|#|] {v}", "list the products of order {v}"],
    "order_lines_of": ["[what|which products] [is|was|are|were] [inside|in] order [number|#|] {v} [?|,|.|-] [show|give me|i need|] [product names|products|names|product name] [and|with|,] [quantities|quantity]", "[which|what|list|show] [the|] products [and|with] quantities [are in|were in|of|in] order [number|#|] {v}", "products and quantities [in|of] order {v}", "[which|what] products [are|were] in order {v} and how many of each", "[which|what] products [are|were] in order {v} [?|,|-] product name and quantity",
                       "[show|list] [the|] [items|lines|contents] of order {v} with quantities"],
    "order_lines_price_of": ["[what|which products] [is|was|are|were] [inside|in] order [number|#|] {v} [?|,|.|-] [show|give me|i need|] [product names|products|names|product name] , [quantities|quantity] and [the|] [unit prices|unit price|unit price that was charged|price charged|price]", "[show|list] [the|] [items|lines|contents|products] of order {v} with [quantity|quantities] and [unit price|unit prices|prices]", "order {v} : product, quantity, unit price", "product names, quantities and unit prices of order {v}"],
    "orders_of_number": ["[list|show|which are|give me|what are] [the|all|] [order ids|orders|order numbers] [of|from|by|placed by] customer [number|no.|#|id|] {v}", "orders of customer [number|id|#|] {v}"],
    "order_count_of_number": ["how many orders [did|does|has] customer [number|no.|#|id|] {v} [place|have|placed|made]", "number of orders [of|by|from|for] customer [number|id|#|] {v}"],
    "name_of_number": ["[who is|what is the name of|name of] customer [number|no.|#|id|with id] {v}", "[what is|] the name of [the|] customer with id {v}"],
    "spent_of_number": ["how much [did|has] customer [number|no.|#|id|] {v} [spend|spent] [in total|]", "[revenue|total spend|sales] [of|from|for] customer [number|id|#|] {v}"],
    "product_of_number": ["[what is|which is|name of] product [number|no.|#|id|with id] {v}", "[what is|] the name of [the|] product with id {v}"],
}  # fmt: skip

DEMONYMS = {
    "Poland": "Polish", "Germany": "German", "France": "French", "Spain": "Spanish", "Italy": "Italian", "United Kingdom": "[British|UK]",
    "Czechia": "Czech", "Sweden": "Swedish", "Austria": "Austrian", "Belgium": "Belgian", "Canada": "Canadian", "China": "Chinese",
    "Denmark": "Danish", "Finland": "Finnish", "Greece": "Greek", "Hungary": "Hungarian", "India": "Indian", "Ireland": "Irish",
    "Japan": "Japanese", "Mexico": "Mexican", "Netherlands": "Dutch", "Norway": "Norwegian", "Portugal": "Portuguese",
    "Romania": "Romanian", "Slovakia": "Slovak", "Switzerland": "Swiss", "Turkey": "Turkish", "Ukraine": "Ukrainian",
    "United States": "[American|US]", "Australia": "Australian", "Brazil": "Brazilian",
}  # fmt: skip
ALSO_CALLED = {"United Kingdom": ["UK", "the UK", "Great Britain", "Britain", "the United Kingdom"], "Czechia": ["the Czech Republic", "Czech Republic"],
               "United States": ["the US", "the USA", "USA"], "Netherlands": ["the Netherlands"]}  # fmt: skip
CHANNEL_AFTER = {
    "web": "[on the internet|via the internet|in the web shop|in the online shop|in our online shop|via our website|on our website|via the website|placed online|made online|web only|via web|via the web|online|on the web|through the web channel|over the web|in the web channel|through the website|on the website|from the web|from web orders]",
    "store": "[in the shop|at the store|in physical stores|in a store|in person|placed in store|made in store|in the stores|in store|in stores|in the store|in-store|in the store channel|via the store channel|in our stores|in our shops|from store orders]",
    "phone": "[on the phone|by phone call|placed by phone|made by phone|taken by phone|taken over the phone|through the phone|by phone|by phone|over the phone|via phone|by telephone|in the phone channel|from phone orders]",
    "mobile": "[in the app|through the app|on the mobile app|with the mobile app|using the app|via the mobile app|from mobile|placed on mobile|via mobile|on mobile|through the mobile app|in the mobile app|in the mobile channel|by mobile|via the app|from mobile orders]",
}
CHANNEL_BEFORE = {"web": "[web|web|online|website]", "store": "[store|in-store|store]", "phone": "[phone|phone|telephone]", "mobile": "[mobile|mobile|mobile app]"}
STATUS_WORDS = {"cancelled": "[cancelled|cancelled|canceled]", "pending": "[pending|pending|still pending]", "returned": "returned", "delivered": "delivered", "shipped": "shipped"}
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
NUMBER_WORDS = dict(enumerate(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], start=1)) | {15: "fifteen", 20: "twenty"}
ENTITY_WORDS = {
    "customer": ("[customer|client|customer]", f"{CUSTOMERS}"),
    "product": ("[product|product|item|article]", PRODUCTS),
    "order": ("[order|order|purchase]", "[orders|orders|purchases]"),
}
CHATTER = ["i'm looking for", "hi, i'm looking for", "i'd like to see", "looking for", "i want to see", "my manager asks:", "please", "hi,", "hello,", "hey,", "quick question:", "my boss wants to know", "i would like to know", "can you tell me", "could you tell me", "tell me", "i need to know",
           "for my report:", "just curious,", "help me out:", "i'm wondering", "could you please show", "now", "so,", "ok,", "we need", "for the meeting:"]  # fmt: skip
SMALL_TALK = [
    "[for|it's for|i need this for] [the|our|my|a] [board|weekly|monthly|quarterly|annual|sales|marketing|management|team|finance|budget] [report|meeting|review|presentation|call|deck|newsletter|summary] [i need|, please show|:|,|-|we need|, i want to see]",
    "[hi|hello|hey|good morning|good afternoon|dear team|hi there|hi team|morning] [,|!|-] [quick one|one question|a question|small question|can you help|i have a question|just a quick check|need your help] [:|-|,]",
    "[we lost some people|we are doing well|sales look odd|i am new here|we are planning a campaign|stock is low|the boss is asking|a client is on the line|i'm in a hurry|we're preparing the budget|numbers look wrong|something seems off|i'm writing a report|we are opening a new shop|we want to send flowers|we want to thank them|time for a check|business is slow] [-|:|,|.|;]",
    "[my|our|the] [boss|manager|colleague|accountant|director|teacher|marketing team|sales team|ceo|team lead|finance department] [wants to know|is asking|asked me|needs to know|would like to know|asks|is curious|wants to see] [:|,|-||]",
    "[i'm|i am|we're|we are] [trying to find out|curious|wondering|interested in|checking|analysing|looking into|preparing|working on a report about|interested to know] [:|,|-||]",
    "[out of curiosity|just wondering|one more thing|next question|another question|ok next|by the way|btw|follow-up|reminder|to sum up|sorry|please help|for planning|for context|for marketing|for logistics|for accounting|for the audit|for the website|for homework|as a check] [,|:|-]",
    "[can|could|would] you [please|kindly|quickly|] [tell me|show me|find|look up|check|list|give me|calculate|find out|work out] [:|]",
    "[i'd like|i would like|i want|i need|we need|we want|i'd love] [to know|to see|to get|to find out|a list of|an overview of|to check] [:|]",
    "[do you know|any idea|does anyone know|can anybody tell me|let me know|remind me|help me find|help me understand|help me see]",
]
SORTED_NAMES = ["[sorted|ordered] alphabetically", "in alphabetical order", ", in alphabetical order", "alphabetically", "[, |]sorted by name", "[, |]each one once, in alphabetical order", "from A to Z"]
AFTERTHOUGHT = ["[, |- |. |; ][a client|my boss|the board|a colleague|my manager|someone] is [waiting|asking|on the line|on the phone|interested]", "[, |. |; |- ][it's|this is|i need it] for [the|a|our|my] [board|sales|annual|quarterly|team|budget] [report|meeting|review|slide|presentation]",
                "[, |. ][many thanks|thanks a lot|thanks in advance|cheers|thank you very much|much appreciated|ty]", "[at some point|so far|to date|overall|in our data|in our database|in the data|in our shop|in the shop|with us|according to the data|in our system|until now|up to now|ever|all time]",
                "[- |, |. ][as soon as possible|today please|when you can|quickly|urgent|no rush]", "right now", "[, |]for [my|the|our] [records|notes|overview|dashboard|spreadsheet|slides]","please", "thanks", "thank you", ", please", "? thanks", "for my report", "- it's for a presentation", ", it's urgent", "asap", "pls", ", my colleague is waiting", "if possible", "for me"]

CONTEXT = {"customers": "customer", "products": "product", "average_price": "product", "lowest_price": "product", "highest_price": "product",
           "cities": "customer", "countries": "customer", "categories": "product", "first_signup": "customer", "last_signup": "customer"}  # fmt: skip
BEFORE = {
    "customer": ("country", "segment", "city"),
    "product": ("category",),
    "order": ("status", "channel", "status"),
    "sale": ("category", "product", "channel", "country", "segment", "date", "status"),
}

AFTER = {
    "customer": {
        "city": "[in|from|based in|living in|located in|who live in|from the city of|who are from|that live in] @",
        "country": "[in|from|based in|living in|located in|who live in|who come from|that are from] @",
        "segment": "[in the @ segment|from the @ segment|of the @ segment|in segment @|belonging to the @ segment|segment @|with segment @|who are @]",
        "category": "[who bought|that bought|who ordered|buying] [something from the @ category|@|@ products|anything from @|something from @]",
        "product": "[who bought|that bought|who ordered|who purchased|buying] [a|the|] @",
        "status": "[with|who have|having] [@ orders|a @ order|an order that is @|orders in status @|at least one @ order]",
    },
    "product": {
        "category": "[in @|from @|in the @ category|from the @ category|of the @ category|in category @|from category @|belonging to @|of category @|in the category @]",
        "city": "[bought in|sold in|sold to customers in|ordered from] @",
        "country": "[bought in|sold in|sold to customers in|sold to|ordered in] @",
        "segment": "[bought by|sold to|ordered by] [@ customers|the @ segment]",
        "customer": "[bought by|ordered by|sold to] @",
        "status": "[in|from|with] [@ orders|orders that were @|status @]",
        "product": "named @",
    },
    "sale": {
        "city": "[in|from|from customers in|by customers in|for|by customers from|from people in|placed in|placed by people from|by people from|of customers from|from clients in] @",
        "country": "[in|from|in|placed by people from|by clients from|of customers in|from customers in|by customers in|for|by customers from|from customers in] @",
        "segment": "[from|by|for|of|in] [@ customers|the @ segment|@ clients|segment @|customers in the @ segment]",
        "customer": "[of|by|from|for|of customer|by customer|from customer] @",
        "category": "[in|from|for|of|on|in the category|in category|with] [@|@|@ products|the @ category|products in the @ category]",
        "product": "[of|for|from|with|of product|for product|of the product|containing] @",
        "status": "[with status @|with the status @|having status @|which are @|which were @|currently @|that got @|that have been @|with @ status|in status @|that are @|that were @|from @ orders|for @ orders|, only @ orders|, only @|, @ orders only|- only @ orders|on @ orders|where the status is @|marked as @|of @ orders]",
    },
}
AFTER_IN = {
    context: {
        "city": "[in|from] @", "country": "[in|from] @", "segment": "[from the @ segments|in segment @|from @ customers|in the @ segments]",
        "customer": "[of|by|from] @", "category": "[in|from|for] [@|@|the @ categories|the categories @|categories @]", "product": "[of|for] @",
        "status": "[with status @|that are @|in status @|that were @]", "channel": "[via|through|from|in|by] @",
    }
    for context in ("customer", "product", "sale", "order")
}  # fmt: skip
AFTER_NOT_IN = {
    "status": "[that are neither %|that were neither %|neither %|excluding @ orders|excluding @|without @ orders|not counting @ orders|except @ ones|ignoring @|other than @|leaving out @ orders|that are not @|with status other than @]",
    "country": "[outside @|outside of @|not from @|not in @|except @|excluding @|other than @|from neither %]",
    "category": "[outside @|except @|excluding @|without @|other than @|not counting @|in neither %]",
    "channel": "[excluding @|except @|other than @|not through @|via neither %]",
}  # fmt: skip
AFTER_NOT = {
    "city": "[outside|outside of|not in|not from|except|excluding|but not in|but not from|other than|apart from] @", "country": "[outside|outside of|not in|not from|except|excluding|other than|apart from|who are not from|not living in] @",
    "segment": "[outside the @ segment|not in the @ segment|except @|excluding @|without the @ segment]",
    "customer": "[except|excluding] @", "category": "[outside @|not in @|except @|excluding @|without @|other than @]", "product": "[except|excluding] @",
    "status": "[that are not @|not @|that are not yet @|which are not @|that have not been @|other than @|other than @ ones|apart from @ orders|leaving out @ orders|disregarding @ orders|minus @ orders|but not @ ones|excluding @ orders|without @ orders|except @ ones|that were not @|not counting @ orders|excluding @|ignoring @ orders|with status other than @]",
    "channel": "[not via @|excluding @|except @|outside the @ channel|other than @|not through @]",
}  # fmt: skip
PRICE = {
    "above": "[above|over|more than|cost more than|that cost more than|costs more than|are priced above|are more expensive than|cost over|>|costing more than|priced above|priced over|that cost more than|with a price above|with a price over|with price above|with a price higher than|more expensive than|that cost over|costing over|dearer than] @",
    "below": "[below|under|less than|cost less than|that cost less than|costs less than|are priced below|are cheaper than|cost under|<|costing less than|priced below|priced under|that cost less than|with a price below|with a price under|with price below|with a price lower than|cheaper than|that cost under|costing under] @",
    "at_least": "[costing at least|for at least|with a price of at least|that cost at least] @",
    "at_most": "[costing at most|for at most|with a price of at most|that cost at most|up to|for no more than] @",
}
PERIOD_EDGE = {
    "since": "[no earlier than @|as of @|[since|since|since the beginning of|since the start of|starting in|starting from] @|from @ [on|onwards]|in @ or later]",
    "before": "[before|prior to|earlier than|before the year] @",
    "after": "[after|later than|after the end of] @",
    "since_month": "[[since|starting|since the beginning of] @|from @ [on|onwards]]",
    "before_month": "[before|prior to|earlier than] @",
    "after_month": "[after|later than|after the end of] @",
    "since_day": "[[since|on or after|starting|starting on] @|from @ [on|onwards]]",
    "before_day": "[before|prior to|earlier than] @",
    "after_day": "[after|after|after|later than|more recently than] @",
    "on_day": "[on|on|on|dated] @",
}
# fmt: on
