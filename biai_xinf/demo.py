"""The demo shop: one small database every first question can be asked of.

The bundled SQL model knows this schema by heart, canary questions run on it in memory, and
`biai-xinf ask --db demo` reads it from a file. Same seed, same rows, on every machine.
"""

from __future__ import annotations

import random
import sqlite3
from datetime import date, timedelta
from pathlib import Path

SCHEMA = """\
CREATE TABLE customers (
  customer_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  city TEXT NOT NULL,
  country TEXT NOT NULL,
  segment TEXT NOT NULL,
  signup_date TEXT NOT NULL
);
CREATE TABLE products (
  product_id INTEGER PRIMARY KEY,
  product_name TEXT NOT NULL,
  category TEXT NOT NULL,
  price REAL NOT NULL
);
CREATE TABLE orders (
  order_id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers(customer_id),
  order_date TEXT NOT NULL,
  status TEXT NOT NULL,
  channel TEXT NOT NULL
);
CREATE TABLE order_items (
  order_id INTEGER NOT NULL REFERENCES orders(order_id),
  product_id INTEGER NOT NULL REFERENCES products(product_id),
  quantity INTEGER NOT NULL,
  unit_price REAL NOT NULL
);
"""

CITIES = {
    "Poland": ["Warsaw", "Krakow", "Gdansk", "Wroclaw", "Poznan"],
    "Germany": ["Berlin", "Munich", "Hamburg"],
    "France": ["Paris", "Lyon"],
    "Spain": ["Madrid", "Barcelona"],
    "Italy": ["Rome", "Milan"],
    "United Kingdom": ["London", "Manchester"],
    "Czechia": ["Prague", "Brno"],
    "Sweden": ["Stockholm"],
}
SEGMENTS = ["Consumer", "Corporate", "Small Business"]
STATUSES = ["pending", "shipped", "delivered", "cancelled", "returned"]
STATUS_WEIGHTS = [8, 12, 66, 8, 6]
CHANNELS = ["web", "store", "phone", "mobile"]
CHANNEL_WEIGHTS = [45, 25, 10, 20]
PRODUCTS = {
    "Electronics": {"Laptop": 999.0, "Monitor": 229.5, "Headphones": 79.9, "Webcam": 49.0, "Keyboard": 35.5},
    "Furniture": {"Office Chair": 189.0, "Standing Desk": 420.0, "Bookshelf": 110.0, "Desk Lamp": 39.9},
    "Office Supplies": {"Notebook": 4.5, "Stapler": 9.9, "Printer Paper": 6.2, "Whiteboard": 58.0},
    "Clothing": {"Winter Jacket": 129.0, "Running Shoes": 89.0, "T-Shirt": 15.0, "Backpack": 59.5},
    "Kitchen": {"Coffee Maker": 99.0, "Kettle": 34.0, "Blender": 64.0, "Frying Pan": 28.5},
    "Toys": {"Puzzle": 18.0, "Board Game": 32.0, "Building Blocks": 45.0},
    "Garden": {"Lawn Mower": 310.0, "Garden Hose": 27.0, "Plant Pot": 8.5},
}
GIVEN_NAMES = [
    "Anna", "Piotr", "Maria", "Jan", "Katarzyna", "Tomasz", "Emma", "Lukas", "Sophie", "Hans", "Claire", "Louis",
    "Lucia", "Pablo", "Giulia", "Marco", "Olivia", "James", "Tereza", "Jakub", "Astrid", "Erik", "Zofia", "Adam",
]  # fmt: skip
FAMILY_NAMES = [
    "Nowak", "Kowalski", "Wisniewska", "Zielinski", "Schmidt", "Weber", "Fischer", "Martin", "Dubois", "Garcia",
    "Lopez", "Rossi", "Bianchi", "Smith", "Taylor", "Novak", "Svoboda", "Larsson", "Berg", "Lewandowski",
]  # fmt: skip

FIRST_DAY, LAST_DAY = date(2023, 1, 1), date(2025, 12, 31)
# The last customers and products never sell, so that "without any order" has an answer.
CUSTOMERS, SILENT_CUSTOMERS, ORDERS, SILENT_PRODUCTS = 120, 9, 800, 2


def create(path: Path) -> Path:
    """Write the demo database to `path` (replacing it) and return `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    try:
        fill(connection)
    finally:
        connection.close()
    return path


def in_memory() -> sqlite3.Connection:
    """The demo database in memory, on a new connection."""
    connection = sqlite3.connect(":memory:")
    fill(connection)
    return connection


def fill(connection: sqlite3.Connection, seed: int = 2026) -> None:
    """Create the four tables in an empty database and fill them, the same for the same seed."""
    rng = random.Random(seed)
    prices = {name: price for goods in PRODUCTS.values() for name, price in goods.items()}
    products = [
        (number, name, category, prices[name])
        for number, (category, name) in enumerate(((c, n) for c, goods in PRODUCTS.items() for n in goods), start=1)
    ]
    customers = [_customer(rng, number) for number in range(1, CUSTOMERS + 1)]
    orders = [_order(rng, number) for number in range(1, ORDERS + 1)]
    items = [item for order in orders for item in _items(rng, order[0], products[:-SILENT_PRODUCTS])]
    with connection:
        connection.executescript(SCHEMA)
        connection.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?)", customers)
        connection.executemany("INSERT INTO products VALUES (?, ?, ?, ?)", products)
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", orders)
        connection.executemany("INSERT INTO order_items VALUES (?, ?, ?, ?)", items)


def _customer(rng: random.Random, number: int) -> tuple[int, str, str, str, str, str]:
    name = f"{rng.choice(GIVEN_NAMES)} {rng.choice(FAMILY_NAMES)}"
    country = rng.choices(list(CITIES), weights=[9, 5, 3, 3, 3, 3, 2, 1])[0]
    city = rng.choice(CITIES[country])
    segment = rng.choices(SEGMENTS, weights=[6, 3, 2])[0]
    return number, name, city, country, segment, _day(rng).isoformat()


def _order(rng: random.Random, number: int) -> tuple[int, int, str, str, str]:
    customer_id = rng.randint(1, CUSTOMERS - SILENT_CUSTOMERS)
    status = rng.choices(STATUSES, STATUS_WEIGHTS)[0]
    channel = rng.choices(CHANNELS, CHANNEL_WEIGHTS)[0]
    return number, customer_id, _day(rng).isoformat(), status, channel


def _items(
    rng: random.Random, order_id: int, products: list[tuple[int, str, str, float]]
) -> list[tuple[int, int, int, float]]:
    chosen = rng.sample(products, rng.choices([1, 2, 3, 4], weights=[4, 3, 2, 1])[0])
    return [
        (order_id, product_id, rng.randint(1, 6), round(price * rng.choice([0.9, 0.95, 1, 1, 1]), 2))
        for product_id, _, _, price in chosen
    ]


def _day(rng: random.Random) -> date:
    return FIRST_DAY + timedelta(days=rng.randint(0, (LAST_DAY - FIRST_DAY).days))
