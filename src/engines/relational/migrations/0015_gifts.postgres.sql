-- The catalogue that a place begins with. Their ids are fixed, so that clients may know them; administrators add and retire gifts.
INSERT INTO gifts (id, name, price, image_url, animation, sort_order) VALUES
    ('01980000-0000-7000-8000-000000000001', 'Spark', 0.10, '/gifts/spark.svg', 'small', 10),
    ('01980000-0000-7000-8000-000000000002', 'Rose', 0.50, '/gifts/rose.svg', 'small', 20),
    ('01980000-0000-7000-8000-000000000003', 'Coffee', 1.00, '/gifts/coffee.svg', 'small', 30),
    ('01980000-0000-7000-8000-000000000004', 'Balloon', 2.00, '/gifts/balloon.svg', 'medium', 40),
    ('01980000-0000-7000-8000-000000000005', 'Cake', 5.00, '/gifts/cake.svg', 'medium', 50),
    ('01980000-0000-7000-8000-000000000006', 'Star', 10.00, '/gifts/star.svg', 'medium', 60),
    ('01980000-0000-7000-8000-000000000007', 'Trophy', 20.00, '/gifts/trophy.svg', 'large', 70),
    ('01980000-0000-7000-8000-000000000008', 'Diamond', 50.00, '/gifts/diamond.svg', 'large', 80),
    ('01980000-0000-7000-8000-000000000009', 'Fireworks', 100.00, '/gifts/fireworks.svg', 'large', 90),
    ('01980000-0000-7000-8000-000000000010', 'Crown', 200.00, '/gifts/crown.svg', 'legendary', 100),
    ('01980000-0000-7000-8000-000000000011', 'Rocket', 300.00, '/gifts/rocket.svg', 'legendary', 110),
    ('01980000-0000-7000-8000-000000000012', 'Galaxy', 500.00, '/gifts/galaxy.svg', 'legendary', 120);
