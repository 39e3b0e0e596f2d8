-- The catalogue that a place begins with. Their ids are fixed, so that clients may know them; administrators add and retire gifts.
INSERT INTO gifts (id, name, price, image_url, animation, sort_order) VALUES
    ('01980000-0000-7000-8000-000000000001', 'Spark', 10, '/gifts/spark.svg', 'small', 10),
    ('01980000-0000-7000-8000-000000000002', 'Rose', 50, '/gifts/rose.svg', 'small', 20),
    ('01980000-0000-7000-8000-000000000003', 'Coffee', 100, '/gifts/coffee.svg', 'small', 30),
    ('01980000-0000-7000-8000-000000000004', 'Balloon', 200, '/gifts/balloon.svg', 'medium', 40),
    ('01980000-0000-7000-8000-000000000005', 'Cake', 500, '/gifts/cake.svg', 'medium', 50),
    ('01980000-0000-7000-8000-000000000006', 'Star', 1000, '/gifts/star.svg', 'medium', 60),
    ('01980000-0000-7000-8000-000000000007', 'Trophy', 2000, '/gifts/trophy.svg', 'large', 70),
    ('01980000-0000-7000-8000-000000000008', 'Diamond', 5000, '/gifts/diamond.svg', 'large', 80),
    ('01980000-0000-7000-8000-000000000009', 'Fireworks', 10000, '/gifts/fireworks.svg', 'large', 90),
    ('01980000-0000-7000-8000-000000000010', 'Crown', 20000, '/gifts/crown.svg', 'legendary', 100),
    ('01980000-0000-7000-8000-000000000011', 'Rocket', 30000, '/gifts/rocket.svg', 'legendary', 110),
    ('01980000-0000-7000-8000-000000000012', 'Galaxy', 50000, '/gifts/galaxy.svg', 'legendary', 120);
